"""A worker is killed with SIGKILL at each point of a purchase, many times; another finishes it.

The dying worker is a fork: the same code as a process of its own, without the second that a start
takes. Ledgers close when the test says so, so that nothing waits for the network's pace.
"""

import itertools
import os
import signal
from collections.abc import Iterator, Sequence

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from billing import conf
from billing.sandbox.faults import Fault
from tests.billing import dying
from tests.billing.buying import Person
from tests.billing.stepped import SteppedTown, couple, stepped_sandbox, stepped_town
from tests.billing.test_purchase_on_sandbox import balance
from tests.sandboxes import RunningSandbox

ROUNDS = 100
ROUNDS_UNDER_FAULTS = 10
STRIKES = 3  # Then a fault is over, so that every point is reached.


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with stepped_sandbox(tmp_path_factory.mktemp("network")) as sandbox:
        yield sandbox


@pytest.fixture
def town(database: str, network: RunningSandbox, settings: Settings) -> Iterator[SteppedTown]:
    with stepped_town(network, settings) as town:
        yield town


def die_at(point: str, purchase_id: str, town: SteppedTown) -> None:
    """In a fork with connections of its own, which ends in the middle of things."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            conf.rail_at.cache_clear()
            dying.install(point)
            SteppedTown(town.sandbox, town.now_s).work(purchase_id)
        finally:
            os._exit(1)  # It should have been killed.
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was finished without coming to {point}"
    assert os.WTERMSIG(status) == signal.SIGKILL
    town.step(0)  # What time it has become.


def kill(town: SteppedTown, people: tuple[Person, Person], point: str, fault: Fault | None) -> None:
    purchase_id = town.authorized(*people)
    if fault is not None:
        town.switch_on(fault, STRIKES)
    die_at(point, purchase_id, town)
    assert town.work(purchase_id).state == "granted", (point, fault)
    town.heal()


def kill_all(town: SteppedTown, plan: Sequence[tuple[str, Fault | None]]) -> None:
    people = couple(town.sandbox, "killed")
    before = balance(town.sandbox, people[1])
    for point, fault in plan:
        kill(town, people, point, fault)
    town.assert_paid_once_and_granted_once(people[1], before=before)


WITHOUT_FAULTS: list[tuple[str, Fault | None]] = [(point, None) for point in dying.POINTS]
UNDER_EACH_FAULT = list(zip(itertools.cycle(dying.POINTS), Fault, strict=False))


@pytest.mark.parametrize(
    ("database_url", "plan"),
    [
        ("sqlite", [*WITHOUT_FAULTS, *UNDER_EACH_FAULT]),
        pytest.param("postgres", WITHOUT_FAULTS, marks=pytest.mark.postgres),
    ],
    indirect=["database_url"],
    ids=["sqlite", "postgres"],
)
def test_purchases_survive_the_death_of_their_workers(
    town: SteppedTown, plan: Sequence[tuple[str, Fault | None]]
) -> None:
    """The short form of the next two."""
    kill_all(town, plan)


@pytest.mark.soak
def test_purchases_survive_a_hundred_deaths_at_each_point(town: SteppedTown) -> None:
    kill_all(town, WITHOUT_FAULTS * ROUNDS)


@pytest.mark.soak
def test_purchases_survive_ten_deaths_at_each_point_under_each_fault(town: SteppedTown) -> None:
    rounds = range(ROUNDS_UNDER_FAULTS)
    kill_all(town, [(at, fault) for _ in rounds for fault in Fault for at in dying.POINTS])
