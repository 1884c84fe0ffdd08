"""A request's body on its way up: taken from the client as the upstream takes it.

What was taken from the grant reaches the upstream. The HTTP client has the last piece in its own
hands when it asks for the next, and sends it while it waits; broken off at once, the request would
overtake it. So a body that ends early is held open for LET_OUT_SECONDS before it is broken off,
while everybody else is told of the end already. An upstream that reads nothing meanwhile misses
what it did not take.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from gateway.domain.errors import GateFault
from gateway.domain.exchange import End
from gateway.domain.limits import Direction
from gateway.exchanging import Exchange
from gateway.ledgers.port import LedgerUnavailable
from gateway.metered import CHUNK_BYTES_MAX, granted

LET_OUT_SECONDS = 0.5


class Upload:
    __slots__ = ("_asking", "_began", "_exchange", "_inbox", "_is_whole", "has_sent")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._inbox: asyncio.Queue[tuple[bytes, bool] | None] = asyncio.Queue(maxsize=1)
        self._asking: asyncio.Task[int] | None = None
        self._began = self._is_whole = self.has_sent = False

    @property
    def is_partial(self) -> bool:
        """Something of it was sent, and not all."""
        return self.has_sent and not self._is_whole

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
                body, more = await self._next(clock)
                sent = 0
                while sent < len(body):
                    exchange.waiting_since = None
                    some = await self._granted(len(body) - sent)
                    exchange.waiting_since = clock()
                    self.has_sent = True
                    exchange.bytes_up += some
                    yield body[sent : sent + some]
                    sent += some
        except (GateFault, LedgerUnavailable) as fault:
            exchange.cut(fault.end if isinstance(fault, GateFault) else exchange.ledger_end())
            if self.has_sent:
                await asyncio.sleep(LET_OUT_SECONDS)
            raise
        self._is_whole = True
        if not exchange.is_answered:
            exchange.waiting_since = clock()

    async def _granted(self, wanted: int) -> int:
        """In a task of its own where that takes time, so that the end of the exchange ends it."""
        exchange = self._exchange
        if exchange.end is not None:  # And settled: nothing is taken any more.
            raise self._over()
        some = exchange.terms.reservation.take_bytes(Direction.UP, min(wanted, CHUNK_BYTES_MAX))
        if some:
            return some
        self._asking = asyncio.ensure_future(granted(exchange.terms, Direction.UP, wanted))
        try:
            return await self._asking
        except asyncio.CancelledError:
            if exchange.end is None:
                raise
            raise self._over() from None

    async def _next(self, clock: Callable[[], float]) -> tuple[bytes, bool]:
        exchange = self._exchange
        exchange.owing_since = clock()
        message = None if exchange.end else await self._inbox.get()
        exchange.owing_since = None
        if message is None:
            raise self._over()
        most = exchange.terms.body_bytes_max
        if most is not None and exchange.bytes_up + len(message[0]) > most:
            raise GateFault(End.BODY_TOO_LARGE, f"This route takes at most {most:,} bytes.")
        return message

    def _over(self) -> GateFault:
        return GateFault(self._exchange.end or End.FAULT, "The exchange has ended.")

    async def stop(self) -> None:
        """Take nothing more, and break off. A cancelled call alone would go on waiting for it."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        while not self._inbox.empty():
            self._inbox.get_nowait()
        self._inbox.put_nowait(None)
