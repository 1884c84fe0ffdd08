"""Several processes on one database: the promises that no lock in one process can keep."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from gateway.domain.limits import Calls, Data, Direction, Limit
from gateway.models import GatewayNode, Lease
from tests import nursery
from tests.databases import KINDS, environment, fresh, used_here
from tests.gateway.selling import sell, used
from tests.waiting import until

pytestmark = pytest.mark.timeout(600)
COMES_AGAIN_MAX = 20


class Process:
    def __init__(self, url: str, home: Path) -> None:
        self.served_file = home / "served"
        reading, writing = os.pipe()
        variables = environment(url, home) | {"DJANGO_SETTINGS_MODULE": "apicharge_site.settings"}
        self._running = nursery.start(
            "tests.gateway.ledgers.spender",
            str(self.served_file),
            environment=variables,
            output=writing,
            errors=2,
        )
        os.close(writing)
        self._said = os.fdopen(reading)

    def ready(self) -> None:
        assert self._said.readline() == "ready\n"

    def tell(self, do: str, limit: Limit, count: int = 1, *, grant: int = 1, **more: bool) -> None:
        command = {"do": do, "limits": [limit.terms()], "count": count, "grant": grant, **more}
        self._running.stdin.write(json.dumps(command).encode() + b"\n")

    def answer(self) -> dict[str, int]:
        answer = json.loads(self._said.readline())
        assert isinstance(answer, dict)
        return answer

    def kill(self) -> None:
        self._running.send_signal(signal.SIGKILL)
        self._close()

    def stop(self) -> None:
        if self._running.returncode is None:
            self._running.stdin.close()
            self._close()

    def _close(self) -> None:
        self._running.wait(20)
        self._said.close()


@contextmanager
def processes(count: int, url: str, home: Path) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        running = []
        for _ in range(count):
            running.append(Process(url, home))
            stack.callback(running[-1].stop)
        for process in running:
            process.ready()
        yield running


def served_in(home: Path) -> int:
    return (home / "served").stat().st_size


def ask_all(
    running: list[Process], do: str, limit: Limit, count: int, grant: int = 1
) -> list[dict[str, int]]:
    for process in running:
        process.tell(do, limit, count, grant=grant)
    return [process.answer() for process in running]


def total(answers: list[dict[str, int]], kind: str) -> int:
    return sum(answer[kind] for answer in answers)


def ask_until_ruled(
    running: list[Process], do: str, limit: Limit, count: int, grant: int
) -> list[dict[str, int]]:
    """As ask_all, and who got a 503, because another process was slow to answer, comes again."""
    answers = ask_all(running, do, limit, count, grant)
    for process, answer in zip(running, answers, strict=True):
        for _ in range(COMES_AGAIN_MAX):
            if not answer["unavailable"]:
                break
            process.tell(do, limit, answer.pop("unavailable"), grant=grant)
            again = process.answer()
            answer |= {kind: answer.get(kind, 0) + again[kind] for kind in again}
    return answers


@pytest.fixture(scope="module", params=KINDS)
def four(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[list[Process]]:
    """Four processes on one database, for all tests that leave them alive."""
    home = tmp_path_factory.mktemp("four")
    with django_db_blocker.unblock(), fresh(request, home) as url, used_here(url, home):
        with processes(4, url, home) as running:
            yield running
        assert not GatewayNode.objects.exists()


def test_a_thousand_concurrent_calls_get_exactly_the_hundred_that_were_sold(
    four: list[Process],
) -> None:
    grant = sell(Calls(100), number=1001)
    answers = ask_until_ruled(four, "at once", Calls(100), 250, grant=1001)
    assert total(answers, "served") == 100
    assert total(answers, "refused") == 900
    assert used(grant) == 100


@pytest.mark.parametrize("rounds", [40, pytest.param(200, marks=pytest.mark.soak)])
def test_the_last_call_is_never_served_twice(four: list[Process], rounds: int) -> None:
    numbers = range(2000, 2000 + rounds)
    grants = [sell(Calls(1), number=number) for number in numbers]
    for number in numbers:
        answers = ask_until_ruled(four, "at once", Calls(1), 2, grant=number)
        assert total(answers, "served") == 1
        assert total(answers, "refused") == 7
    assert [used(grant) for grant in grants] == [1] * rounds


def test_calls_spread_over_processes_that_each_hold_a_lease_are_all_served(
    four: list[Process],
) -> None:
    grant = sell(Calls(50), number=1002)
    outcomes: list[str] = []
    for turn in range(52):
        process = four[turn % 4]
        process.tell("in turn", Calls(50), grant=1002)
        outcomes += [kind for kind, count in process.answer().items() if count]
    assert outcomes == ["served"] * 50 + ["refused"] * 2
    assert used(grant) == 50


def test_streams_of_many_processes_pass_not_one_byte_too_many(four: list[Process]) -> None:
    limit = Data(Direction.DOWN, 10_000_001)
    grant = sell(limit, number=1003)
    answers = ask_all(four, "stream", limit, 8, grant=1003)
    assert total(answers, "passed") == 10_000_001
    assert used(grant) == 10_000_001


@pytest.mark.soak
def test_a_hundred_thousand_calls_are_served_exactly(four: list[Process]) -> None:
    limit = Calls(100_000)
    grant = sell(limit, number=1004)
    answers = ask_all(four, "in turn", limit, 100_000, grant=1004)
    assert total(answers, "served") == 100_000
    assert total(answers, "unavailable") == 0
    assert used(grant) == 100_000


def test_what_a_killed_process_had_leased_goes_back_once(database: str, tmp_path: Path) -> None:
    grant = sell(Calls(400))
    with processes(3, database, tmp_path) as running:
        victim, *others = running
        victim.tell("at once", Calls(400), 20)
        assert victim.answer()["served"] == 20
        victim.tell("in turn", Calls(400), 21)
        victim.answer()
        leased = sum(Lease.objects.values_list("amount", flat=True))
        assert leased > 41
        victim.kill()
        until(lambda: used(grant) == 41)
        answers = ask_all(others, "in turn", Calls(400), 200)
        assert total(answers, "served") == 359
        # Who asks while what is left is recalled from another process may be told to come again.
        assert total(answers, "refused") + total(answers, "unavailable") == 41
    assert used(grant) == 400
    assert not Lease.objects.exists()


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.soak)])
def test_kills_in_full_traffic_never_grant_too_much_nor_lose_what_was_not_in_flight(
    database: str, tmp_path: Path, kills: int
) -> None:
    sold = 500 * kills
    limit = Calls(sold)
    grant = sell(limit)
    for _ in range(kills // 2):
        with processes(2, database, tmp_path) as running:
            for process in running:
                process.tell("in turn", limit, 1_000_000, slowly=True)
            before = served_in(tmp_path)
            until(lambda before=before: served_in(tmp_path) > before + 300)
            for process in running:
                process.kill()
    with processes(1, database, tmp_path) as [last]:
        last.tell("in turn", limit, sold)
        assert last.answer()["unavailable"] == 0
    assert used(grant) == sold
    # At most one call of each was between its reservation and its answer.
    assert sold - kills <= served_in(tmp_path) <= sold
