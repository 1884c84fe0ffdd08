"""How one grant's calls get past its limits in Redis, one script at a time for all that wait."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Protocol

from gateway.domain.allowance import Refused, Why, retry_after_s
from gateway.domain.limits import Limit
from gateway.domain.rates import SECOND_US, Bandwidth, Concurrency, PaceState, Rate, RateState
from gateway.domain.schedules import Schedule
from gateway.ledgers.rates import AT_ONCE_RETRY_S, Hours, Refusal, Remote, Standing
from gateway.pacing import Pacer

LIFE_MS = 10_000  # What a node that died had running counts for so long.
SLICE_S = 0.03  # Of a bandwidth, drawn at once, so that a stream does not ask for each chunk.
NO_SHARE_WAIT_US = SECOND_US


class Nodes(Protocol):
    """This node among the others, and the way to Redis."""

    node: str
    nodes: int
    rank: int

    @property
    def is_trusted(self) -> bool: ...
    def clock(self) -> float: ...
    def share(self, units: int) -> int: ...
    async def ask(self, script: str, key: str, *arguments: str | int) -> list[int] | None: ...
    async def tell(self, script: str, key: str, *arguments: str | int) -> list[int] | None: ...
    def spawn(self, work: Coroutine[object, object, None]) -> None: ...
    def running(self, standing: "RedisStanding", *, is_open: bool) -> None: ...


class Counter(Protocol):
    """What a turnstile lets pass, counted in Redis, or by this node's share of it."""

    has_news: bool  # For Redis, though nobody waits.

    @property
    def left(self) -> int: ...
    async def admit(self, count: int) -> tuple[int, int]:
        """How many of them, and the microseconds until it is worth asking again."""

    def undo(self) -> None:
        """One that was admitted was not used, or has ended."""


class Turnstile:
    """Those who wait, and the one script that runs for them."""

    def __init__(self, counter: Counter, nodes: Nodes) -> None:
        self.counter = counter
        self._nodes = nodes
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._is_serving = False

    async def obtain(self) -> int:
        """0: admitted; else the microseconds until it is worth asking again."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.result() == 0:
                self.undo()
            raise

    def serve(self) -> None:
        if not self._is_serving:
            self._is_serving = True
            self._nodes.spawn(self._serve())

    async def _serve(self) -> None:
        try:
            while self._waiting or self.counter.has_news:
                batch = [each for each in self._waiting if not each.done()]
                self._waiting.clear()
                admitted, wait_us = await self.counter.admit(len(batch))
                for position, each in enumerate(batch):
                    if not each.done():
                        each.set_result(0 if position < admitted else max(1, wait_us))
                    elif position < admitted:
                        self.undo()
        finally:
            self._is_serving = False

    def undo(self) -> None:
        self.counter.undo()
        if self.counter.has_news:
            self.serve()

    def say_again(self) -> None:
        self.counter.has_news = True
        self.serve()


class RateCounter:
    has_news = False

    def __init__(self, key: str, nodes: Nodes, limit: Rate) -> None:
        self.key = key
        self.nodes = nodes
        self.limit = limit
        self.left = limit.total
        self._mine = RateState(limit, self._now_us())  # What this node admitted.
        self._share: tuple[tuple[int, int], RateState | None] | None = None

    def _now_us(self) -> int:
        return int(self.nodes.clock() * SECOND_US)

    def _arguments(self, wanted: int) -> tuple[int, ...]:
        limit = self.limit
        return wanted, limit.count, limit.window_seconds * SECOND_US, limit.burst or 0, 0

    async def admit(self, count: int) -> tuple[int, int]:
        answer = await self.nodes.ask("rate", self.key, *self._arguments(count))
        if answer is None:
            return self._admit_by_share(count)
        self._share = None
        granted, wait_us, left = answer
        self.left = max(0, left)
        self._mine.take(granted, self._now_us())
        return granted, wait_us

    def _admit_by_share(self, count: int) -> tuple[int, int]:
        now_us, as_of = self._now_us(), (self.nodes.nodes, self.nodes.rank)
        if self._share is None or self._share[0] != as_of:
            self._share = as_of, self._new_share(now_us)
        state = self._share[1]
        if state is None:
            return 0, NO_SHARE_WAIT_US
        granted = state.take(count, now_us)
        self._mine.take(granted, now_us)
        self.left = state.left(now_us)
        return granted, state.wait_us(now_us)

    def _new_share(self, now_us: int) -> RateState | None:
        """Less what this node admitted lately."""
        limit = self.limit
        count = self.nodes.share(limit.count)
        burst = None if limit.burst is None else self.nodes.share(limit.burst)
        if count == 0 or burst == 0:
            return None
        state = RateState(replace(limit, count=count, burst=burst), now_us)
        state.take(limit.total - self._mine.left(now_us), now_us)
        return state

    def undo(self) -> None:
        self._mine.undo(1)
        self.nodes.spawn(self._undo())

    async def _undo(self) -> None:
        await self.nodes.tell("rate", self.key, *self._arguments(-1))


class ConcurrencyCounter:
    """This node's absolute number is what Redis hears: repeating it changes nothing."""

    def __init__(self, key: str, nodes: Nodes, limit: Concurrency) -> None:
        self.key = key
        self.nodes = nodes
        self.limit = limit
        self.running = 0
        self.others = 0
        self.has_news = False

    @property
    def left(self) -> int:
        return max(0, self.limit.count - self.running - self.others)

    async def admit(self, count: int) -> tuple[int, int]:
        self.has_news = False
        ask = self.nodes.ask if count else self.nodes.tell
        running = self.running
        arguments = (self.nodes.node, running + count, running, self.limit.count, LIFE_MS, 0)
        answer = await ask("concurrency", self.key, *arguments)
        if answer is None:
            admitted = max(0, min(count, self.nodes.share(self.limit.count) - self.running))
            self.has_news = False  # It cannot be said now; what is said again later says it all.
        else:
            has, self.others = answer
            admitted = min(count, has - running)
        self.running += admitted
        return admitted, AT_ONCE_RETRY_S * SECOND_US

    def undo(self) -> None:
        self.running -= 1
        assert self.running >= 0
        self.has_news = True


class SharedPacer(Pacer):
    """Draws slices from Redis, one at a time, for all streams of the grant on this node."""

    def __init__(self, key: str, nodes: Nodes, limit: Bandwidth) -> None:
        super().__init__(limit, lambda: int(nodes.clock() * SECOND_US))
        self._key = key
        self._nodes = nodes
        self._is_drawing = self._was_short = False
        self._share: tuple[int, PaceState] | None = None

    def _draw_now(self, wanted: int) -> int:  # noqa: ARG002 - Redis has to be asked, in turn
        return 0

    def _draw(self, wanted: int) -> int:
        wanted = max(0, wanted - self._stock)
        if wanted and not self._is_drawing:
            self._is_drawing = True
            slice_bytes = max(1, int(self.limit.bytes_per_second * SLICE_S))
            self._nodes.spawn(self._draw_slice(slice_bytes))
        return 0

    def _hurry(self) -> None:
        if not self._was_short:
            self._draw(1 + self._stock)

    async def _draw_slice(self, wanted: int) -> None:
        limit = self.limit
        try:
            answer = await self._nodes.ask(
                "bandwidth", self._key, wanted, limit.bytes_per_second, limit.window_seconds, 0
            )
            if answer is None:
                granted = self._from_share(wanted)
            else:
                self._share, [granted] = None, answer
        finally:
            self._is_drawing = False
        self._was_short = granted < wanted
        self._hand_out(granted)

    def _from_share(self, wanted: int) -> int:
        if self._share is None or self._share[0] != self._nodes.nodes:
            part = max(1, self.limit.bytes_per_second // self._nodes.nodes)
            mine = replace(self.limit, bytes_per_second=part)
            self._share = self._nodes.nodes, PaceState(mine, self._now_us())
        return self._share[1].take(wanted, self._now_us())


class RedisStanding(Standing):
    def __init__(self, grant_id: str, limits: Sequence[Limit], nodes: Nodes) -> None:
        self._nodes = nodes
        self._keys = {id(limit): f"{grant_id}:{index}" for index, limit in enumerate(limits)}
        super().__init__(limits, nodes.clock)
        self._turnstiles: dict[int, Turnstile] = {}
        for position, limit in enumerate(self.limits):
            key = self._keys[id(limit)]
            if isinstance(limit, Rate):
                self._turnstiles[position] = Turnstile(RateCounter(key, nodes, limit), nodes)
            elif isinstance(limit, Concurrency):
                self._turnstiles[position] = Turnstile(ConcurrencyCounter(key, nodes, limit), nodes)
        by_kind = [(self.limits[position], each) for position, each in self._turnstiles.items()]
        self._of_rates = [each for limit, each in by_kind if isinstance(limit, Rate)]
        self._of_concurrency = [each for limit, each in by_kind if isinstance(limit, Concurrency)]

    @property
    def remote(self) -> Remote | None:
        return self if self._turnstiles else None

    def _pacer(self, limit: Bandwidth) -> Pacer:
        return SharedPacer(self._keys[id(limit)], self._nodes, limit)

    async def obtain(self, now_s: float) -> Refusal | None:
        passed: list[Turnstile] = []
        hours = iter(self.hours)
        try:
            for position, limit in enumerate(self.limits):
                if isinstance(limit, Schedule):
                    refused = self._hours(next(hours), now_s)
                elif isinstance(limit, Bandwidth):
                    continue
                else:
                    refused = await self._pass(position, limit, passed)
                if refused is not None:
                    _undo(passed)
                    return refused
        except BaseException:
            _undo(passed)
            raise
        self.take()
        return None

    def _hours(self, hours: Hours, now_s: float) -> Refusal | None:
        return hours.refusal(now_s)

    async def _pass(
        self, position: int, limit: Rate | Concurrency, passed: list[Turnstile]
    ) -> Refusal | None:
        turnstile = self._turnstiles[position]
        wait_us = await turnstile.obtain()
        if wait_us:
            why = Why.RATE if isinstance(limit, Rate) else Why.CONCURRENCY
            return Refused(why, limit, retry_after_s(wait_us / SECOND_US))
        passed.append(turnstile)
        return None

    def take(self) -> None:
        self.open += 1
        self._nodes.running(self, is_open=True)

    def undo(self) -> None:
        """Rates too; `release` gives the rest back."""
        _undo(self._of_rates)
        self.release()

    def release(self) -> None:
        super().release()
        _undo(self._of_concurrency)
        if not self.open:
            self._nodes.running(self, is_open=False)

    def say_again(self) -> None:
        for turnstile in self._of_concurrency:
            turnstile.say_again()

    def left(self, position: int) -> tuple[int, float] | None:
        turnstile = self._turnstiles.get(position)
        return None if turnstile is None else (turnstile.counter.left, 0.0)

    def is_idle(self) -> bool:
        return not self.open


def _undo(passed: Sequence[Turnstile]) -> None:
    for turnstile in passed:
        turnstile.undo()
