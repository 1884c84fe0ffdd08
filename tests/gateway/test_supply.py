"""How often the ledger is asked, by who uses a lease and who leaves it: five seconds of a clock."""

from pathlib import Path

import pytest

from gateway.domain.limits import Calls, Data, Direction
from gateway.ledgers.port import Return
from tests.gateway.test_spending import House, eventually, opened

SECONDS, CALLS_A_SECOND, LOOKS_A_SECOND = 5, 50, 5
CALLS_A_LOOK = CALLS_A_SECOND // LOOKS_A_SECOND
FEW = 3
"""Who left first gave back, and was wrong: that, and what is drawn again."""


async def look(house: House) -> None:
    house.leasing._tick()
    await eventually(lambda: house.leasing._busy is None)


async def call(house: House, *, leaves: bool) -> None:
    reservation = await house.acquire()
    assert reservation.take_bytes(Direction.DOWN, 10) or await reservation.wait_bytes(
        Direction.DOWN, 10
    )
    reservation.settle(charged=True)
    if leaves:
        house.allowance.rest()


async def transactions(home: Path, *, every: int | None, looked_at: int = 0) -> list[bool]:
    """Of steady calls one after another, of which so many leave; whether each gave back."""
    async with opened(House(home, Calls(1_000), Data(Direction.DOWN, 10**6))) as house:
        for turn in range(SECONDS * CALLS_A_SECOND):
            await call(house, leaves=every is not None and turn % every == 0)
            house.clock.now += 1 / CALLS_A_SECOND
            if turn % CALLS_A_LOOK == looked_at:
                await look(house)
        return [any(isinstance(ask, Return) for ask in each) for each in house.ledger.transactions]


@pytest.fixture
def _looked_at_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.leasing.TICK_S", 3600.0)


@pytest.mark.usefixtures("_looked_at_by_hand")
@pytest.mark.parametrize("every", [1, 2, 10, 50])
async def test_steady_calls_draw_as_seldom_when_clients_leave(tmp_path: Path, every: int) -> None:
    staying = await transactions(tmp_path / "staying", every=None)
    for looked_at in (0, CALLS_A_LOOK // 2):
        leaving = await transactions(
            tmp_path / f"leaving-{looked_at}", every=every, looked_at=looked_at
        )
        assert len(leaving) <= len(staying) + FEW, (len(leaving), len(staying))
        assert leaving.count(True) <= 1
    assert not any(staying)


@pytest.mark.usefixtures("_looked_at_by_hand")
async def test_who_leaves_for_good_gives_back_at_the_next_look_again_and_again(
    tmp_path: Path,
) -> None:
    async with opened(House(tmp_path, Calls(1_000), Data(Direction.DOWN, 10**6))) as house:
        for _ in range(3):
            await call(house, leaves=True)
            await look(house)
            assert not house.ledger.leases
            house.clock.now += 5


@pytest.mark.usefixtures("_looked_at_by_hand")
async def test_lease_that_others_use_goes_back_when_it_is_idle_and_then_at_once_again(
    tmp_path: Path,
) -> None:
    async with opened(House(tmp_path, Calls(1_000))) as house:
        await call(house, leaves=True)
        await look(house)
        assert not house.ledger.leases
        await call(house, leaves=True)
        await look(house)
        assert house.ledger.leases
        house.clock.now += 1
        await look(house)
        assert not house.ledger.leases
        house.clock.now += 5
        await call(house, leaves=True)
        await look(house)
        assert not house.ledger.leases
