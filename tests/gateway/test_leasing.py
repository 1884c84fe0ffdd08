import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.domain.allowance import Refused, Unavailable, Why
from gateway.domain.limits import Calls, Credits, Data, Direction
from gateway.leasing import Leasing
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.port import LedgerUnavailable
from gateway.models import GatewayNode, Lease
from gateway.spending import Allowance, Reservation
from tests.databases import in_thread
from tests.gateway.selling import LONG_AGO_S, sell, used

NOW_S = LONG_AGO_S + 100.0
PATIENCE_S = 30.0
"""Of a machine that has other things to do; nothing here waits that long otherwise."""


@asynccontextmanager
async def node(home: Path) -> AsyncIterator[Leasing]:
    leasing = Leasing(DatabaseLedger(), home / "journals")
    await leasing.start()
    try:
        yield leasing
    finally:
        await leasing.stop()


async def eventually(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not await in_thread(condition):  # noqa: ASYNC110 - rows have no event
            await asyncio.sleep(0.02)


async def until_ruled(allowance: Allowance) -> Reservation | Refused:
    """A node that was slow to give back makes a 503: whoever got it comes again."""
    async with asyncio.timeout(PATIENCE_S):
        outcome: Reservation | Refused | Unavailable = Unavailable()
        while isinstance(outcome, Unavailable):
            outcome = await allowance.acquire(NOW_S)
        return outcome


async def admitted(allowance: Allowance) -> Reservation:
    outcome = await until_ruled(allowance)
    assert isinstance(outcome, Reservation)
    return outcome


async def test_a_call_is_spent_once_and_the_second_is_refused(
    database: str, tmp_path: Path
) -> None:
    grant = await in_thread(sell, Calls(1))
    async with node(tmp_path) as leasing:
        allowance = leasing.allowance(grant)
        first = await admitted(allowance)
        second = await until_ruled(allowance)
        assert second == Refused(Why.EXHAUSTED, grant.limits[0])
        first.settle(charged=True)
    assert await in_thread(used, grant) == 1
    assert not await in_thread(GatewayNode.objects.exists)


async def test_calls_that_several_nodes_hold_are_all_served(database: str, tmp_path: Path) -> None:
    grant = await in_thread(sell, Calls(50))
    async with node(tmp_path) as one, node(tmp_path) as two, node(tmp_path) as three:
        nodes = [one, two, three]
        outcomes = []
        for turn in range(60):
            outcome = await until_ruled(nodes[turn % 3].allowance(grant))
            outcomes.append(outcome)
            if isinstance(outcome, Reservation):
                outcome.settle(charged=True)
        served = [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
        assert len(served) == 50
        assert set(map(type, outcomes[50:])) == {Refused}
    assert await in_thread(used, grant) == 50


async def test_concurrent_calls_over_nodes_take_exactly_what_was_sold(
    database: str, tmp_path: Path
) -> None:
    grant = await in_thread(sell, Calls(100))
    async with node(tmp_path) as one, node(tmp_path) as two, node(tmp_path) as three:
        allowances = [leasing.allowance(grant) for leasing in [one, two, three]]
        calls = [until_ruled(allowance) for allowance in allowances * 100]
        outcomes = await asyncio.gather(*calls)
        assert sum(isinstance(outcome, Reservation) for outcome in outcomes) == 100
        assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 200
    assert await in_thread(used, grant) == 100


async def test_what_is_idle_for_a_second_goes_back(database: str, tmp_path: Path) -> None:
    grant = await in_thread(sell, Data(Direction.DOWN, 1_000_000))
    async with node(tmp_path) as leasing:
        reservation = await admitted(leasing.allowance(grant))
        assert reservation.take_bytes(Direction.DOWN, 1000) == 1000
        assert await in_thread(used, grant) == 262_144
        reservation.settle(charged=True)
        await eventually(lambda: used(grant) == 1000)
        await eventually(lambda: not Lease.objects.exists())


async def granted(reservation: Reservation) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(LedgerUnavailable):
                taken = reservation.take_bytes(Direction.DOWN, 65_536)
                return taken or await reservation.wait_bytes(Direction.DOWN, 65_536)


async def test_bytes_are_cut_to_the_unit(database: str, tmp_path: Path) -> None:
    grant = await in_thread(sell, Data(Direction.DOWN, 300_000))
    async with node(tmp_path) as leasing:
        reservation = await admitted(leasing.allowance(grant))
        passed = 0
        while taken := await granted(reservation):
            passed += taken
        assert passed == 300_000
        assert reservation.take_bytes(Direction.UP, 7) == 7
        reservation.settle(charged=True)


async def test_credits_are_reserved_in_full_and_settled_to_the_real_cost(
    database: str, tmp_path: Path
) -> None:
    grant = await in_thread(sell, Credits(25, per_call=1, max_per_call=10))
    async with node(tmp_path) as leasing:
        allowance = leasing.allowance(grant)
        first, second = await admitted(allowance), await admitted(allowance)
        assert isinstance(await until_ruled(allowance), Refused)
        first.settle(charged=True, credits=3)
        second.settle(charged=False)
        third = await admitted(allowance)
        third.settle(charged=True)
    assert await in_thread(used, grant) == 4
