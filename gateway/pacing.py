"""Bandwidth as it was sold: all streams of a grant share it, in turns; the loop never waits.

Who finds enough passes at once. Everybody else queues, and a tick fifty times a second hands out
what has refilled since the last, evenly. What a tick comes late for is not lost while somebody
waits, so the rate is exact over seconds although timers are not.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from gateway.domain.rates import PACE_TICKS, Bandwidth, PaceState

TICK_S = 1 / PACE_TICKS
PIECE_MIN = 256  # Bytes of one turn, where there are so many: smaller ones cost too much.


class Waiter:
    __slots__ = ("future", "wanted")

    def __init__(self, wanted: int, future: asyncio.Future[int]) -> None:
        self.wanted = wanted
        self.future = future


class Pacer:
    """One bandwidth limit of one grant on this node."""

    def __init__(self, limit: Bandwidth, now_us: Callable[[], int]) -> None:
        self.limit = limit
        self._now_us = now_us
        self._state = PaceState(limit, now_us())
        self._stock = 0  # Granted, but not used by whom it was granted to.
        self._waiting: deque[Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take_now(self, wanted: int) -> int:
        """0: `await take()`. Those who wait go first."""
        if self._waiting:
            return 0
        if self._stock:
            return self._from_stock(wanted)
        return self._draw_now(wanted)

    def _from_stock(self, wanted: int) -> int:
        granted = min(self._stock, wanted)
        self._stock -= granted
        return granted

    def _draw_now(self, wanted: int) -> int:
        return self._state.take_piece(wanted, self._now_us())

    async def take(self, wanted: int) -> int:
        """At least one byte, in turn."""
        granted = self.take_now(wanted)
        if granted:
            return granted
        loop = asyncio.get_running_loop()
        waiter = Waiter(wanted, loop.create_future())
        self._waiting.append(waiter)
        if self._timer is None:
            self._timer = loop.call_later(TICK_S, self._tick, loop)
        self._hurry()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                self._stock += waiter.future.result()
            raise

    def _hurry(self) -> None:
        """Somebody began to wait; the next tick serves him."""

    def give_back(self, units: int) -> None:
        self._stock += units

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        wanted = self._wanted()
        if not wanted:
            return
        self._hand_out(self._draw(wanted))
        if self._waiting:
            self._timer = loop.call_later(TICK_S, self._tick, loop)

    def _wanted(self) -> int:
        if any(waiter.future.done() for waiter in self._waiting):
            self._waiting = deque(each for each in self._waiting if not each.future.done())
        return sum(waiter.wanted for waiter in self._waiting)

    def _draw(self, wanted: int) -> int:
        wanted = max(0, wanted - self._stock)
        return self._state.take(wanted, self._now_us()) if wanted else 0

    def _hand_out(self, granted: int) -> None:
        left, self._stock = self._stock + granted, 0
        while left and self._waiting:
            share = max(left // len(self._waiting), PIECE_MIN)
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                piece = min(waiter.wanted, share, left)
                waiter.future.set_result(piece)
                left -= piece
        self._stock += left


def take_now(pacers: Sequence[Pacer], wanted: int) -> int:
    """As much as all of them let pass."""
    if len(pacers) == 1:
        return pacers[0].take_now(wanted)
    for position, pacer in enumerate(pacers):
        granted = pacer.take_now(wanted)
        give_back(pacers[:position], wanted - granted)
        wanted = granted
    return wanted


async def take(pacers: Sequence[Pacer], wanted: int, then: Callable[[int], Awaitable[int]]) -> int:
    """As much as all of them let pass, and `then` grants. What it does not goes back."""
    passed = 0
    try:
        for pacer in pacers:
            granted = await pacer.take(wanted)
            give_back(pacers[:passed], wanted - granted)
            wanted = granted
            passed += 1
        granted = await then(wanted)
    except BaseException:
        give_back(pacers[:passed], wanted)
        raise
    give_back(pacers, wanted - granted)
    return granted


def give_back(pacers: Sequence[Pacer], units: int) -> None:
    if units:
        for pacer in pacers:
            pacer.give_back(units)
