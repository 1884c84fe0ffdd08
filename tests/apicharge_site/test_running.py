"""`manage.py run`: everything on one machine, beside another run, gone without a trace."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import databases
from tests.servers import Process, free_ports
from tests.waiting import is_running, until

START_SECONDS = 90.0


@dataclass
class Run:
    process: Process
    origin: str
    rpc_url: str

    @property
    def printed(self) -> str:
        return self.process.log.read_text()

    def started(self) -> bool:
        assert not self.process.ended(), self.printed
        return "Ctrl-C ends everything" in self.printed

    def password(self) -> str:
        found = re.search(r"provider +password (\w+)", self.printed)
        assert found is not None, self.printed
        return found[1]


def run(home: Path, *, port: int, sandbox_port: int, h2_port: int) -> Run:
    variables = {
        "APICHARGE_HOME": str(home),
        "APICHARGE_SANDBOX_CLOSE_MS": "100",
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "H2_PORT": str(h2_port),
    }
    home.mkdir(mode=0o700, exist_ok=True)
    if not (home / "apicharge.sqlite3").exists():
        databases.fresh_sqlite(home, "apicharge.sqlite3")
    process = Process(["manage", "run"], variables, home.with_suffix(".log"))
    process.start()
    return Run(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Run]]:
    home = tmp_path_factory.mktemp("runs")
    ports = free_ports(6)
    with ExitStack() as stack:
        first = run(home / "one", port=ports[0], sandbox_port=ports[1], h2_port=ports[2])
        stack.callback(first.process.kill)
        second = run(home / "two", port=ports[3], sandbox_port=ports[4], h2_port=ports[5])
        stack.callback(second.process.kill)
        until(first.started, seconds=START_SECONDS)
        until(second.started, seconds=START_SECONDS)
        yield first, second


def descendants(pid: int) -> list[int]:
    """Of a process that starts children from any of its threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(word) for task in tasks for word in task.read_text().split()]
    return [*children, *(one for child in children for one in descendants(child))]


def refused(home: Path, port: int, sandbox_port: int) -> str:
    third = run(home, port=port, sandbox_port=sandbox_port, h2_port=0)
    assert third.process.wait(START_SECONDS) != 0
    return third.printed


def test_runs_say_where_they_are_and_that_they_are_for_one_machine(two: tuple[Run, Run]) -> None:
    for each in two:
        assert each.origin in each.printed
        assert each.rpc_url in each.printed
        assert "for one machine" in " ".join(each.printed.split())


def test_two_runs_do_not_meet(two: tuple[Run, Run]) -> None:
    first, second = two
    assert first.password() != second.password()
    keys = [httpx.get(f"{one.origin}/.well-known/jwks.json").json() for one in two]
    assert keys[0] != keys[1]
    quotes = [httpx.get(f"{one.origin}/apicharge/v1/quotes").json() for one in two]
    assert [document["issuer"] for document in quotes] == [first.origin, second.origin]
    assert quotes[0]["signer"] != quotes[1]["signer"]


def test_run_refuses_a_state_directory_or_port_that_is_in_use(
    two: tuple[Run, Run], tmp_path: Path
) -> None:
    free = free_ports(2)
    home = two[0].process.log.with_suffix("")
    taken = int(two[0].origin.rpartition(":")[2])
    said = refused(home, free[0], free[1])
    assert "Choose another directory with APICHARGE_HOME" in said
    assert f"Port {taken} is taken" in refused(tmp_path / "other", taken, free[1])


def test_interrupted_run_ends_all_its_processes(two: tuple[Run, Run]) -> None:
    first, _ = two
    family = descendants(first.process.pid)
    assert len(family) == 3
    first.process.signal(signal.SIGINT)
    assert first.process.wait() == 0
    assert first.printed.endswith("Ended.\n")
    assert [pid for pid in family if is_running(pid)] == []


def test_killed_run_leaves_no_orphans(two: tuple[Run, Run]) -> None:
    _, second = two
    family = descendants(second.process.pid)
    assert len(family) == 3
    second.process.kill()
    until(lambda: [pid for pid in family if is_running(pid)] == [])
