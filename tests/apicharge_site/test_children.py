import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apicharge_site.children import Child
from tests.waiting import is_running, until

ROOT = Path(__file__).parents[2]
PARENT = """
import os, signal, sys
from pathlib import Path
from apicharge_site.children import Child
Child(["tests.apicharge_site.sleeping", sys.argv[1]], directory=Path.cwd(), log=Path(os.devnull),
      environment=os.environ)
signal.pause()
"""


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@pytest.fixture
def child(pids: Path, tmp_path: Path) -> Iterator[Child]:
    command = ["tests.apicharge_site.sleeping", str(pids)]
    child = Child(command, directory=ROOT, log=tmp_path / "log", environment=os.environ)
    yield child
    child.stop()


def started(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def test_killed_child_is_started_again(child: Child, pids: Path) -> None:
    until(lambda: len(started(pids)) == 1)
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: len(started(pids)) == 2)
    first, second = started(pids)
    assert not is_running(first)
    assert is_running(second)


def test_stopped_child_stays_stopped(child: Child, pids: Path) -> None:
    until(lambda: len(started(pids)) == 1)
    child.stop()
    assert [is_running(pid) for pid in started(pids)] == [False]


def test_child_of_a_killed_parent_ends(pids: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(pids)], cwd=ROOT)
    until(lambda: len(started(pids)) == 1)
    [orphan] = started(pids)
    parent.kill()
    parent.wait()
    until(lambda: not is_running(orphan))
