import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.domain.allowance import Refused, Unavailable, Why
from gateway.domain.limits import Calls, Credits, Data, Direction, Limit
from gateway.domain.tokens import Grant
from gateway.leasing import Leasing
from gateway.ledgers.port import SPEND_TIME_S, Draw, LedgerUnavailable, Return
from gateway.spending import Allowance, Reservation
from tests.gateway.fake_ledger import FakeLedger
from tests.gateway.selling import FAR_FUTURE_S, LONG_AGO_S, make_grant

NOW_S = LONG_AGO_S + 100.0
DOWN, UP = Direction.DOWN, Direction.UP


class Clock:
    """CLOCK_BOOTTIME, in our hands."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class House:
    """One node on a fake ledger."""

    def __init__(self, home: Path, *limits: Limit, **grant: object) -> None:
        self.grant: Grant = make_grant(*limits, **grant)
        self.ledger = FakeLedger()
        for index, limit in enumerate(limits):
            self.ledger.left[self.grant.id, index] = limit.total
        self.clock = Clock()
        self.leasing = Leasing(self.ledger, home)
        self.leasing.clock = self.clock

    @property
    def allowance(self) -> Allowance:
        return self.leasing.allowance(self.grant)

    async def acquire(self) -> Reservation:
        outcome = await self.allowance.acquire(NOW_S)
        assert isinstance(outcome, Reservation)
        return outcome

    def left(self, index: int = 0) -> int:
        return self.ledger.left[self.grant.id, index]

    def draws(self) -> list[Draw]:
        return [ask for asks in self.ledger.transactions for ask in asks if isinstance(ask, Draw)]


@asynccontextmanager
async def opened(house: House) -> AsyncIterator[House]:
    await house.leasing.start()
    try:
        yield house
    finally:
        house.ledger.answering.set()
        await house.leasing.stop()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a thread
            await asyncio.sleep(0.01)


def journals_in(home: Path) -> list[Path]:
    return list(home.iterdir())


async def test_what_is_held_is_spent_without_asking(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Data(DOWN, 10**9), Calls(100))) as house:
        assert house.allowance.acquire_now(NOW_S) is None
        first = await house.acquire()
        asked = len(house.ledger.transactions)
        assert first.take_bytes(DOWN, 1000) == 1000
        assert first.take_bytes(UP, 1000) == 1000
        first.settle(charged=False)
        assert isinstance(house.allowance.acquire_now(NOW_S), Reservation)
        assert len(house.ledger.transactions) == asked


async def test_all_limits_of_a_grant_are_drawn_in_one_transaction(tmp_path: Path) -> None:
    limits = (Calls(9), Credits(9, 1, 3), Data(DOWN, 9), Data(UP, 9))
    async with opened(House(tmp_path, *limits)) as house:
        await house.acquire()
        assert [[draw.index for draw in house.draws()]] == [[0, 1, 2, 3]]


async def test_those_who_wait_are_counted_and_served_together(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(100))) as house:
        await eventually(lambda: house.leasing._busy is None)
        house.ledger.answering.clear()
        first = asyncio.ensure_future(house.allowance.acquire(NOW_S))
        await asyncio.sleep(0)
        others = asyncio.gather(*(house.allowance.acquire(NOW_S) for _ in range(30)))
        await asyncio.sleep(0)
        house.ledger.answering.set()
        outcomes = [await first, *await others]
        assert all(isinstance(outcome, Reservation) for outcome in outcomes)
        assert [draw.waiting for draw in house.draws()] == [1, 30]


async def test_a_refusal_by_one_limit_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(9), Credits(3, 1, 3))) as house:
        await house.acquire()
        assert await house.allowance.acquire(NOW_S) == Refused(Why.EXHAUSTED, house.grant.limits[1])
        assert house.allowance.holdings[0].spent == 1


async def test_exhaustion_for_good_is_believed_for_a_second(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(1))) as house:
        reservation = await house.acquire()
        refused = Refused(Why.EXHAUSTED, house.grant.limits[0])
        assert await house.allowance.acquire(NOW_S) == refused
        asked = len(house.draws())
        assert await house.allowance.acquire(NOW_S) == refused
        assert len(house.draws()) == asked
        reservation.settle(charged=False)
        assert isinstance(await house.allowance.acquire(NOW_S), Reservation)


async def test_what_others_hold_and_do_not_give_is_503_and_never_402(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(1))) as house:
        await house.acquire()
        house.ledger.elsewhere = 1
        began = asyncio.get_running_loop().time()
        waiting = asyncio.gather(*(house.allowance.acquire(NOW_S) for _ in range(5)))
        await eventually(lambda: bool(house.leasing._recalling))
        house.clock.now += 0.3
        assert await waiting == [Unavailable()] * 5
        assert asyncio.get_running_loop().time() - began < 0.5


async def test_what_comes_back_from_others_is_served(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(1))) as house:
        await house.acquire()
        house.ledger.elsewhere = 1
        waiting = asyncio.ensure_future(house.allowance.acquire(NOW_S))
        await eventually(lambda: bool(house.leasing._recalling))
        house.ledger.elsewhere, house.ledger.left[house.grant.id, 0] = 0, 1
        assert house.ledger.news is not None
        house.ledger.news(())
        assert isinstance(await waiting, Reservation)


async def test_a_recalled_lease_is_given_back_but_for_what_is_under_way(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Data(DOWN, 1_000_000))) as house:
        reservation = await house.acquire()
        reservation.take_bytes(DOWN, 100)
        assert house.ledger.news is not None
        house.ledger.news([house.allowance.holdings[0].slot])
        await eventually(lambda: house.left() == 999_900)
        assert reservation.take_bytes(DOWN, 1) == 0
        assert await reservation.wait_bytes(DOWN, 1) == 1


async def test_a_ledger_that_is_away_is_503_and_heals(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(10))) as house:
        house.ledger.away = True
        assert await house.allowance.acquire(NOW_S) == Unavailable()
        house.ledger.away = False
        await house.acquire()
        assert house.left() == 9


async def test_a_stream_whose_ledger_is_away_raises(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Data(DOWN, 1_000_000))) as house:
        reservation = await house.acquire()
        assert reservation.take_bytes(DOWN, 1_000_000) == 262_144
        house.ledger.away = True
        with pytest.raises(LedgerUnavailable):
            await reservation.wait_bytes(DOWN, 1)


async def test_who_leaves_as_bytes_are_granted_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(House(tmp_path, Data(DOWN, 1_000_000))) as house:
        reservation = await house.acquire()
        assert reservation.take_bytes(DOWN, 1_000_000) == 262_144
        house.ledger.answering.clear()
        waiting = asyncio.ensure_future(reservation.wait_bytes(DOWN, 1000))
        await eventually(lambda: len(house.allowance.waiting) == 1)
        [waiter] = house.allowance.waiting
        advance = house.allowance.advance

        def advance_and_leave() -> None:
            advance()
            waiting.cancel()

        monkeypatch.setattr(house.allowance, "advance", advance_and_leave)
        house.ledger.answering.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert waiter.future.result() == 1000
        assert house.allowance.holdings[0].spent == 262_144
        reservation.settle(charged=True)
        assert house.allowance.holdings[0].open == 0


async def test_a_node_that_was_not_heard_for_half_the_lease_time_spends_nothing(
    tmp_path: Path,
) -> None:
    async with opened(House(tmp_path, Data(DOWN, 1_000_000))) as house:
        reservation = await house.acquire()
        house.ledger.away = True
        house.clock.now += SPEND_TIME_S
        assert reservation.take_bytes(DOWN, 1) == 0
        assert house.allowance.acquire_now(NOW_S) is None
        assert await house.allowance.acquire(NOW_S) == Unavailable()
        house.ledger.away = False
        await house.acquire()
        assert reservation.take_bytes(DOWN, 1) == 1


async def test_a_node_that_was_written_off_spends_nothing_of_its_old_leases(
    tmp_path: Path,
) -> None:
    async with opened(House(tmp_path, Calls(10))) as house:
        old = await house.acquire()
        house.ledger.lost = True
        assert await house.allowance.acquire(NOW_S) == Unavailable()
        await eventually(lambda: len(house.ledger.nodes) == 2)
        old.settle(charged=False)
        await house.acquire()
        assert house.left() == 8
        assert len(journals_in(tmp_path)) == 1


async def test_a_call_given_up_while_it_waited_costs_nothing(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(10))) as house:
        house.ledger.answering.clear()
        waiting = asyncio.ensure_future(house.allowance.acquire(NOW_S))
        await asyncio.sleep(0)
        waiting.cancel()
        house.ledger.answering.set()
        await asyncio.gather(waiting, return_exceptions=True)
        await house.acquire()
        assert sum(holding.spent for holding in house.allowance.holdings) == 1


async def test_bytes_given_up_while_they_were_handed_over_cost_nothing(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Data(DOWN, 100))) as house:
        first, second = await house.acquire(), await house.acquire()
        assert await first.wait_bytes(DOWN, 100) == 100
        house.ledger.answering.clear()
        waiting = asyncio.ensure_future(second.wait_bytes(DOWN, 60))
        await asyncio.sleep(0)
        first.give_back_bytes(DOWN, 80)
        house.allowance.advance()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        house.ledger.answering.set()
        assert first.take_bytes(DOWN, 100) == 80


async def test_a_lease_ends_with_its_window(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(10, window_seconds=60))) as house:
        house.ledger.valid_for_s = 20.0
        await asyncio.gather(*(house.acquire() for _ in range(10)))
        refused = await house.allowance.acquire(NOW_S)
        assert refused == Refused(Why.WINDOW_EXHAUSTED, house.grant.limits[0], 20)
        house.clock.now += 20
        assert house.allowance.acquire_now(NOW_S) is None
        house.ledger.left[house.grant.id, 0] = 10
        await house.acquire()


async def test_access_ends_a_while_after_the_first_use(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(10), access_seconds=60)) as house:
        house.ledger.first_used_at_s = NOW_S - 59
        assert house.allowance.ends_at_s == FAR_FUTURE_S
        await house.acquire()
        assert house.allowance.ends_at_s == NOW_S + 1
        assert house.allowance.acquire_now(NOW_S + 1) == Refused(Why.GRANT_EXPIRED)


async def test_a_grant_without_limits_needs_its_ledger_all_the_same(tmp_path: Path) -> None:
    async with opened(House(tmp_path)) as house:
        assert await house.allowance.acquire(NOW_S) == Refused(Why.NO_LEDGER)
        house.ledger.left[house.grant.id, 0] = 0
        await house.acquire()


async def test_headers_tell_what_is_left_and_until_when(tmp_path: Path) -> None:
    limits = (Calls(10), Data(DOWN, 1_000_000))
    house = House(tmp_path, *limits, expires_at=int(NOW_S) + 500)
    async with opened(house):
        (await house.acquire()).take_bytes(DOWN, 1)
        assert house.allowance.headers(NOW_S) == [
            (b"ratelimit-policy", b'"calls";q=10, "data-down";q=1000000;qu="content-bytes"'),
            (b"ratelimit", b'"calls";r=9;t=500, "data-down";r=999999;t=500'),
            (b"apicharge-expires", b"%d" % (int(NOW_S) + 500)),
        ]
        headers = house.allowance.headers(NOW_S)
        lines = house.allowance.telling.lines(NOW_S, house.allowance.ends_at_s)
        assert lines == b"".join(b"%b: %b\r\n" % header for header in headers)


async def test_the_last_end_is_written_behind(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(10))) as house:
        house.allowance.ended("expired", NOW_S)
        await eventually(lambda: bool(house.ledger.ends))
        assert (house.ledger.ends[0].reason, house.ledger.ends[0].at_s) == ("expired", NOW_S)


async def test_an_idle_lease_is_closed_when_nothing_can_come_back_to_it(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Data(DOWN, 1_000_000))) as house:
        reservation = await house.acquire()
        reservation.take_bytes(DOWN, 10)
        await asyncio.sleep(0.25)
        house.clock.now += 1.5
        await eventually(lambda: house.left() == 999_990)
        assert len(house.ledger.leases) == 1
        reservation.settle(charged=False)
        await asyncio.sleep(0.25)
        house.clock.now += 1.5
        await eventually(lambda: house.left() == 1_000_000)
        await eventually(lambda: not house.ledger.leases)


async def test_what_a_client_used_who_left_goes_back_at_once(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(10), Data(DOWN, 1_000_000))) as house:
        other, leaving = await house.acquire(), await house.acquire()
        for reservation in (other, leaving):
            assert reservation.take_bytes(DOWN, 10) == 10
        for reservation in (leaving, other):
            assert len(house.ledger.leases) == 2
            reservation.settle(charged=True)
            house.allowance.rest()
        await eventually(lambda: not house.ledger.leases)
        assert (house.left(0), house.left(1)) == (8, 999_980)
        (await house.acquire()).settle(charged=True)


async def test_stopping_gives_back_all_but_what_is_under_way(tmp_path: Path) -> None:
    house = House(tmp_path, Calls(10), Data(DOWN, 1_000_000))
    async with opened(house):
        reservation = await house.acquire()
        reservation.take_bytes(DOWN, 10)
    assert (house.left(0), house.left(1)) == (9, 999_990)
    assert journals_in(tmp_path) == []
    reservation.settle(charged=True)
    assert await house.allowance.acquire(NOW_S) == Unavailable()


async def test_stopping_without_a_ledger_leaves_the_journal_for_others(tmp_path: Path) -> None:
    house = House(tmp_path, Calls(10))
    async with opened(house):
        await house.acquire()
        house.ledger.away = True
    assert len(journals_in(tmp_path)) == 1


async def test_steady_traffic_writes_at_most_once_a_second(tmp_path: Path) -> None:
    async with opened(House(tmp_path, Calls(1_000_000))) as house:
        loop = asyncio.get_running_loop()
        house.leasing.clock = house.allowance._clock = loop.time
        began = loop.time()
        written_at_two = 0
        while (passed := loop.time() - began) < 5:
            for _ in range(4):
                (await house.acquire()).settle(charged=True)
            await asyncio.sleep(0.005)
            if passed < 2:
                written_at_two = len(house.ledger.transactions)
        asks = house.ledger.transactions[written_at_two:]
        assert len(asks) <= 3
        assert not any(isinstance(ask, Return) for batch in asks for ask in batch)
    gc.collect()
