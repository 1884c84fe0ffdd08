"""A request's body on its way up: taken from the client as the upstream takes it."""

import asyncio
from collections.abc import AsyncIterator

from gateway.domain.errors import GateFault
from gateway.domain.exchange import End
from gateway.domain.limits import Direction
from gateway.exchanging import Exchange
from gateway.ledgers.port import LedgerUnavailable
from gateway.metered import granted


class Upload:
    __slots__ = ("_began", "_exchange", "_inbox")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._inbox: asyncio.Queue[tuple[bytes, bool] | None] = asyncio.Queue(maxsize=1)
        self._began = False

    async def put(self, body: bytes, *, more: bool) -> None:
        """What the client sent; waits until the upstream has taken what was there."""
        await self._inbox.put((body, more))

    async def stream(self) -> AsyncIterator[bytes]:
        """The body for the upstream, which asks for each piece.

        Leaving by an exception makes the client abort the upstream request: it never ends cleanly.
        """
        exchange = self._exchange
        if self._began:
            raise GateFault(End.UPSTREAM_DROPPED, "A body cannot be sent twice.")
        self._began = exchange.has_served = more = True
        clock = asyncio.get_running_loop().time
        try:
            while more:
                exchange.waiting_since = None
                body, more = await self._next()
                sent = 0
                while sent < len(body):
                    exchange.waiting_since = None
                    some = await granted(exchange.terms, Direction.UP, len(body) - sent)
                    exchange.waiting_since = clock()
                    yield body[sent : sent + some]
                    sent += some
        except GateFault as fault:
            exchange.cut(fault.end)
            raise
        except LedgerUnavailable:
            exchange.cut(exchange.ledger_end())
            raise
        if not exchange.is_answered:
            exchange.waiting_since = clock()

    async def _next(self) -> tuple[bytes, bool]:
        message = None if self._exchange.end else await self._inbox.get()
        if message is None:
            raise GateFault(self._exchange.end or End.FAULT, "The exchange has ended.")
        return message

    def stop(self) -> None:
        """Wake the upload, to break off. A cancelled call alone would go on waiting for it."""
        while not self._inbox.empty():
            self._inbox.get_nowait()
        self._inbox.put_nowait(None)
