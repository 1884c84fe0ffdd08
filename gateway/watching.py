"""Ends exchanges that nobody else would: at their deadline, on revocation, when the client left.

One look at all running exchanges every tenth of a second replaces timers and a listening task for
each: most exchanges are over before the first look and never cost either.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.domain.exchange import End
from gateway.domain.tokens import AccessToken
from gateway.identifying import Identified
from gateway.reservations import Reservation

LOOK_SECONDS = 0.1
PAUSE_SECONDS_MIN = 0.02  # However many deadlines there are.


class Held(Protocol):
    """What a token was admitted to."""

    now_s: float
    reservation: Reservation
    found: Identified

    @property
    def token(self) -> AccessToken: ...


class Watched(Protocol):
    """An exchange that runs."""

    began_at: float
    answered_at: float | None
    end: End | None
    status: int | None
    bytes_up: int
    bytes_down: int
    messages: int
    undecodable: int
    listener: asyncio.Task[None] | None

    @property
    def terms(self) -> Held: ...
    def look(self, now: float) -> float: ...
    def cut(self, end: End) -> None: ...
    async def listen(self) -> None: ...


class Watch:
    loop: asyncio.AbstractEventLoop

    def __init__(self, note: Callable[[Watched], None]) -> None:
        self.note = note
        """Called with every exchange that has ended."""
        self._running: set[Watched] = set()
        # The set's own: every exchange comes and goes.
        self.add: Callable[[Watched], None] = self._running.add
        self.remove: Callable[[Watched], None] = self._running.discard
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._letting_out: set[asyncio.Task[None]] = set()
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._task = self.loop.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = LOOK_SECONDS
        async with asyncio.TaskGroup() as self._group:
            while True:
                await asyncio.sleep(pause)
                pause = self._look(self.loop.time())

    def _look(self, now: float) -> float:
        """How long to wait for the next: less than usual where an exchange is to end before."""
        pause = LOOK_SECONDS
        for exchange in list(self._running):
            ends_in = exchange.look(now) - now
            if 0 < ends_in < pause:
                pause = max(ends_in, PAUSE_SECONDS_MIN)
            if exchange.listener is None and now - exchange.began_at >= LOOK_SECONDS:
                self.listen(exchange)
        if not self._running:
            self._emptied.set()
        return pause

    def listen(self, exchange: Watched) -> None:
        """Hear what the client sends from now on, and that it leaves."""
        assert self._group is not None, "the watch was not started"
        exchange.listener = self._group.create_task(exchange.listen())

    def let_out(self, seconds: float, then: Callable[[], Awaitable[None]] | None) -> None:
        """Beside the exchange, which is over: what was handed over gets its time to leave."""
        assert self._group is not None, "the watch was not started"
        letting = self._group.create_task(_after(seconds, then))
        self._letting_out.add(letting)
        letting.add_done_callback(self._letting_out.discard)

    def cut(self, end: End, concerns: Callable[[AccessToken], bool] = lambda _: True) -> None:
        for exchange in list(self._running):
            if concerns(exchange.terms.token):
                exchange.cut(end)

    async def until_empty(self, seconds: float) -> bool:
        self._emptied.clear()
        try:
            async with asyncio.timeout(seconds):
                while self._running:
                    await self._emptied.wait()
                    self._emptied.clear()
        except TimeoutError:
            return False
        if self._letting_out:
            await asyncio.wait(self._letting_out)
        return True


async def _after(seconds: float, then: Callable[[], Awaitable[None]] | None) -> None:
    await asyncio.sleep(seconds)
    if then is not None:
        await then()
