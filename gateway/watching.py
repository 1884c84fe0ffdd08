"""Ends exchanges that nobody else would: at their deadline, on revocation, when the client left.

One look at all running exchanges every tenth of a second replaces timers and a listening task for
each: most exchanges are over before the first look and never cost either.
"""

import asyncio
from collections.abc import Callable

from gateway.domain.exchange import End
from gateway.domain.tokens import AccessToken
from gateway.metered import Exchange

LOOK_SECONDS = 0.1


class Watch:
    def __init__(self) -> None:
        self._running: set[Exchange] = set()
        self._group: asyncio.TaskGroup | None = None
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    def add(self, exchange: Exchange) -> None:
        self._running.add(exchange)
        if exchange.terms.has_body:
            self._listen(exchange)

    def remove(self, exchange: Exchange) -> None:
        self._running.discard(exchange)
        if not self._running:
            self._emptied.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as self._group:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                self._look(loop.time())

    def _look(self, now: float) -> None:
        for exchange in list(self._running):
            exchange.look(now)
            if exchange.listener is None and now - exchange.began_at >= LOOK_SECONDS:
                self._listen(exchange)

    def _listen(self, exchange: Exchange) -> None:
        assert self._group is not None, "the gate was not started"
        exchange.listener = self._group.create_task(exchange.listen())

    def cut(self, end: End, concerns: Callable[[AccessToken], bool] = lambda _: True) -> None:
        for exchange in list(self._running):
            if concerns(exchange.terms.token):
                exchange.cut(end)

    async def until_empty(self, seconds: float) -> bool:
        self._emptied.clear()
        if not self._running:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
        except TimeoutError:
            return False
        return True
