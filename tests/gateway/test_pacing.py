import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import cast

import pytest

from gateway import pacing
from gateway.domain.fields import Direction
from gateway.domain.rates import PACE_TICKS, Bandwidth
from gateway.pacing import PIECE_MIN, Pacer
from tests.promptness import within

TICK_US = 1_000_000 // PACE_TICKS


def pacer(speed: int, window_seconds: int = 1) -> Pacer:
    limit = Bandwidth(Direction.DOWN, speed, window_seconds)
    return Pacer(limit, lambda: int(time.monotonic() * 1e6))


async def drink(each: Pacer, seconds: float, wanted: int = 65_536, pause_s: float = 0.0) -> int:
    """What one stream gets."""
    total, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        total += await each.take(wanted)
        await asyncio.sleep(pause_s)
    return total


async def test_streams_of_a_grant_share_its_bandwidth_evenly() -> None:
    shared, began = pacer(1_000_000), time.monotonic()
    totals = await asyncio.gather(*(drink(shared, 1.5) for _ in range(4)))
    sold = 1_000_000 * (time.monotonic() - began)
    assert 0.93 * sold <= sum(totals) <= sold + 50_000 + 65_536
    assert max(totals) - min(totals) <= 0.15 * max(totals)


async def test_a_slow_reader_gets_its_turns_beside_greedy_ones() -> None:
    shared = pacer(1_000_000)
    slow, *greedy = await asyncio.gather(
        drink(shared, 1.5, wanted=4096, pause_s=0.1), *(drink(shared, 1.5) for _ in range(3))
    )
    assert slow >= 6 * 4096
    assert min(greedy) > slow


async def test_what_a_late_tick_missed_is_made_up_for() -> None:
    shared, began = pacer(1_000_000), time.monotonic()
    drinking = asyncio.ensure_future(drink(shared, 1.2))
    for _ in range(4):
        await asyncio.sleep(0.1)
        time.sleep(0.12)  # noqa: ASYNC251 - a loop that was held up is what this is about
    total = await drinking
    assert total >= 0.93 * 1_000_000 * (time.monotonic() - began)


async def test_an_idle_one_saves_up_a_20th_of_a_window() -> None:
    shared = pacer(1_000_000)
    await asyncio.sleep(0.2)
    assert shared.take_now(10**9) <= 50_001
    assert shared.take_now(10**9) == 0


async def test_who_gives_up_waiting_loses_nothing_for_the_others() -> None:
    shared = pacer(10_000)
    shared.take_now(10**6)
    gone = asyncio.ensure_future(shared.take(5_000))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert await asyncio.wait_for(shared.take(10), 2) == 10
    assert len(shared._waiting) == 0


class Ticks:
    """A clock and a timer in the test's hand."""

    def __init__(self) -> None:
        self.now_us = 0
        self.due: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def call_later(
        self, _seconds: float, callback: Callable[..., object], *arguments: object
    ) -> asyncio.TimerHandle:
        self.due.append((callback, arguments))
        return cast("asyncio.TimerHandle", object())

    async def tick(self) -> int:
        """One is due at most, however many wait."""
        self.now_us += TICK_US
        [(callback, arguments)] = self.due
        self.due.clear()
        callback(*arguments)
        await asyncio.sleep(0)
        return len(self.due)


async def test_a_tick_wakes_few_of_a_thousand_streams_and_all_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What keeps the loop free (measured by the soak in e2e/test_bandwidth.py) is bounded work."""
    ticks, speed, count = Ticks(), 2_000_000, 1000
    shared = Pacer(Bandwidth(Direction.DOWN, speed), lambda: ticks.now_us)
    assert shared.take_now(10**9)
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", ticks.call_later)
    turns = [0] * count

    async def drink(number: int) -> None:
        while True:
            await shared.take(65_536)
            turns[number] += 1

    streams = [asyncio.ensure_future(drink(number)) for number in range(count)]
    await asyncio.sleep(0)
    woken_most = speed // PACE_TICKS // PIECE_MIN + 1
    for _ in range(2 * PACE_TICKS):
        before = sum(turns)
        assert await ticks.tick() == 1
        assert sum(turns) - before <= woken_most
    assert max(turns) - min(turns) <= 1
    assert min(turns) >= 10
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def test_one_byte_a_second_still_flows() -> None:
    shared = pacer(20)
    shared.take_now(10**6)
    began = time.monotonic()
    assert 1 <= await shared.take(1000) <= 2
    assert time.monotonic() - began < within(1)


async def grant(most: int, wanted: int) -> int:
    return min(most, wanted)


async def test_the_slower_of_two_decides_and_what_is_not_granted_goes_back() -> None:
    both = (pacer(10_000_000), pacer(100_000))
    passed = pacing.take_now(both, 50_000)
    assert 5_000 <= passed < 6_000
    assert both[0]._stock == 50_000 - passed
    assert await pacing.take(both, 65_536, partial(grant, 7)) == 7
    assert both[1]._stock > 0
