"""Refilling limits, counted in this process: one node serves all calls of such grants.

They are not worth a disk write: whoever starts anew starts with full rates. So that two processes
do not each serve a whole rate, exactly one of those that share a database may count them here. The
others answer 503 to grants with refilling limits, and look every second whether they may now.
Across nodes the same limits live in Redis (redis.py).
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from gateway.domain.allowance import Refused, Unavailable, Why, retry_after_s
from gateway.domain.limits import Direction, Limit, is_refilling
from gateway.domain.rates import SECOND_US, Bandwidth, Concurrency, Rate, RateState
from gateway.domain.schedules import Schedule
from gateway.pacing import Pacer

LOOK_S = 1.0
AT_ONCE_RETRY_S = 1  # Nobody knows when a running call ends.
UNAVAILABLE = Unavailable()

Refusal = Refused | Unavailable
logger = logging.getLogger(__name__)


boottime: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds that run on while the machine sleeps."""


class Hours:
    """A schedule, looked up again only when it changes."""

    __slots__ = ("_changes_at_s", "_looked_at_s", "is_open", "limit")

    def __init__(self, limit: Schedule) -> None:
        self.limit = limit
        self._looked_at_s = self._changes_at_s = 0.0
        self.is_open = False

    def changes_at_s(self, now_s: float) -> float:
        """Until then `is_open` holds."""
        if not self._looked_at_s <= now_s < self._changes_at_s:
            self._looked_at_s = now_s
            self.is_open = self.limit.is_open(now_s)
            changes_at_s = self.limit.changes_at(now_s)
            self._changes_at_s = float("inf") if changes_at_s is None else changes_at_s
        return self._changes_at_s

    def refusal(self, now_s: float) -> Refused | None:
        changes_at_s = self.changes_at_s(now_s)
        if self.is_open:
            return None
        wait_s = min(changes_at_s - now_s, 366 * 86_400)
        return Refused(Why.SCHEDULE, self.limit, retry_after_s(wait_s))


class Remote(Protocol):
    """A standing that has to be asked elsewhere, and waited for."""

    async def obtain(self, now_s: float) -> Refusal | None:
        """What `refusal` and `take` do together. `undo`: it was not used."""

    def undo(self) -> None: ...


class Standing:
    """How one grant stands with its refilling limits on this node."""

    def __init__(self, limits: Sequence[Limit], clock: Callable[[], float]) -> None:
        """Of all the limits of a grant, those that refill."""
        self._clock = clock
        self.indices = [index for index, limit in enumerate(limits) if is_refilling(limit)]
        self.limits = [limit for limit in limits if is_refilling(limit)]
        counted = [isinstance(limit, Rate | Concurrency) for limit in self.limits]
        self._tells = [position for position, counts in enumerate(counted) if counts]
        self.tells = [self.indices[position] for position in self._tells]
        """Which of the grant's limits count calls."""
        self.open = 0  # Exchanges admitted and not yet settled.
        now_us = self.now_us()
        self.rates = {
            position: RateState(limit, now_us)
            for position, limit in enumerate(self.limits)
            if isinstance(limit, Rate)
        }
        self.hours = [Hours(limit) for limit in self.limits if isinstance(limit, Schedule)]
        paced = [limit for limit in self.limits if isinstance(limit, Bandwidth)]
        pacers = [self._pacer(limit) for limit in paced]
        self.pacers = {
            direction: tuple(pacer for pacer in pacers if pacer.limit.counts(direction))
            for direction in (Direction.UP, Direction.DOWN)
        }
        self._checks = [
            self._check(position, limit)
            for position, limit in enumerate(self.limits)
            if not isinstance(limit, Bandwidth)
        ]

    @property
    def remote(self) -> Remote | None:
        return None

    def _pacer(self, limit: Bandwidth) -> Pacer:
        return Pacer(limit, self.now_us)

    def now_us(self) -> int:
        return int(self._clock() * SECOND_US)

    def _check(
        self, position: int, limit: Rate | Concurrency | Schedule
    ) -> Callable[[float], Refusal | None]:
        if isinstance(limit, Rate):
            return self._rate_check(limit, self.rates[position])
        if isinstance(limit, Concurrency):
            full = Refused(Why.CONCURRENCY, limit, AT_ONCE_RETRY_S)
            return lambda _: full if self.open >= limit.count else None
        return next(hours.refusal for hours in self.hours if hours.limit is limit)

    def _rate_check(self, limit: Rate, state: RateState) -> Callable[[float], Refusal | None]:
        def check(_now_s: float) -> Refusal | None:
            wait_us = state.wait_us(self.now_us())
            if not wait_us:
                return None
            return Refused(Why.RATE, limit, retry_after_s(wait_us / SECOND_US))

        return check

    def refusal(self, now_s: float) -> Refusal | None:
        """By the first limit that has nothing left now. Changes nothing."""
        for check in self._checks:
            refused = check(now_s)
            if refused is not None:
                return refused
        return None

    def take(self) -> None:
        """One call, of every limit: right after `refusal` found none."""
        self.open += 1
        if self.rates:
            now_us = self.now_us()
            for state in self.rates.values():
                state.take(1, now_us)

    def release(self) -> None:
        """The exchange ended, however it did."""
        self.open -= 1
        assert self.open >= 0

    def closes_at_s(self, now_s: float) -> float:
        """When a running exchange must end because the grant does not work any more."""
        return min((hours.changes_at_s(now_s) for hours in self.hours), default=float("inf"))

    def left(self, position: int) -> tuple[int, float] | None:
        """Units left now of a limit that counts calls, and seconds until there are more."""
        limit = self.limits[position]
        if isinstance(limit, Concurrency):
            return max(0, limit.count - self.open), 0.0
        if isinstance(limit, Rate):
            state, now_us = self.rates[position], self.now_us()
            left = state.left(now_us)
            return left, 0.0 if left else state.wait_us(now_us) / SECOND_US
        return None

    def told(self) -> list[int]:
        """Units left now of each limit in `tells`, and whole seconds until there are more."""
        told: list[int] = []
        for position in self._tells:
            left = self.left(position)
            assert left is not None
            units, wait_s = left
            told += units, math.ceil(wait_s) if wait_s > 0 else 0
        return told

    def is_idle(self) -> bool:
        """Nothing would be lost by forgetting it."""
        now_us = self.now_us()
        return not self.open and all(state.is_full(now_us) for state in self.rates.values())


class Rates(Protocol):
    """Where refilling limits are counted."""

    fallbacks: int
    """Decisions by this node's share, because whoever counts for all was away."""
    outages: int

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def standing(self, grant_id: str, limits: Sequence[Limit]) -> Standing | None:
        """None for a grant without such limits."""


class Lock(Protocol):
    """Held by one of all processes that share a database. Called from one thread."""

    def hold(self) -> bool:
        """Get it, or look whether it is still ours."""

    def close(self) -> None: ...


class SoleStanding(Standing):
    """Counts only while this process is the one that does."""

    def __init__(
        self, limits: Sequence[Limit], clock: Callable[[], float], rates: "LocalRates"
    ) -> None:
        super().__init__(limits, clock)
        self._rates = rates

    def refusal(self, now_s: float) -> Refusal | None:
        return super().refusal(now_s) if self._rates.is_sole else UNAVAILABLE


class LocalRates:
    def __init__(self, lock: Lock | None = None, clock: Callable[[], float] = boottime) -> None:
        """Without a lock nobody else is there."""
        self._lock = lock
        self._clock = clock
        self.is_sole = lock is None
        self.fallbacks = self.outages = 0  # Nobody else is asked.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rates")
        self._looking: asyncio.Task[None] | None = None

    def standing(self, grant_id: str, limits: Sequence[Limit]) -> Standing | None:  # noqa: ARG002 - Redis names its keys by it
        return SoleStanding(limits, self._clock, self) if any(map(is_refilling, limits)) else None

    async def start(self) -> None:
        if self._lock is None:
            return
        await self._look(self._lock)
        if not self.is_sole:
            logger.warning(
                "Another gateway process counts the rates: this one answers 503 to grants with "
                "rate, concurrency, bandwidth or schedule limits. REDIS_URL lets all serve them."
            )
        self._looking = asyncio.get_running_loop().create_task(self._keep_looking(self._lock))

    async def _keep_looking(self, lock: Lock) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look(lock)

    async def _look(self, lock: Lock) -> None:
        held = await asyncio.get_running_loop().run_in_executor(self._thread, lock.hold)
        if held and not self.is_sole:
            logger.info("This process counts the rates now.")
        elif self.is_sole and not held:
            logger.warning("The lock of the process that counts the rates was lost.")
        self.is_sole = held

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._lock is not None:
            self.is_sole = False
            await asyncio.get_running_loop().run_in_executor(self._thread, self._lock.close)
        self._thread.shutdown()
