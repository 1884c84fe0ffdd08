"""Worker and beat beside a server, in its process: each here is a process of its own."""

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import nursery
from tests.waiting import until

PATIENCE_SECONDS = 30.0


class Ticking:
    def __init__(self, home: Path, name: str, *words: str) -> None:
        self._said = home / f"{name}.said"
        with self._said.open("wb") as output:
            arguments = ("tests.apicharge_site.ticking", str(home / "beat"), *words)
            self._child = nursery.start(*arguments, environment={}, output=output)

    def ticks(self) -> int:
        return self._said.read_text().count("tick\n")

    def has_ticked(self, times: int) -> None:
        until(lambda: self.ticks() >= times, seconds=PATIENCE_SECONDS)

    def stop(self) -> None:
        self._child.stdin.close()
        assert self._child.wait(PATIENCE_SECONDS) == 0, self._said.read_text()
        assert self._said.read_text().endswith("stopped\n")

    def kill(self) -> None:
        self._child.kill()
        self._child.wait(PATIENCE_SECONDS)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Ticking]]:
    started: list[Ticking] = []

    def begin(*words: str) -> Ticking:
        started.append(Ticking(tmp_path, str(len(started)), *words))
        return started[-1]

    yield begin
    for each in started:
        each.kill()


def test_beat_and_worker_run_in_this_process_until_stopped(start: Callable[..., Ticking]) -> None:
    process = start()
    process.has_ticked(3)
    process.stop()


def test_schedule_lives_in_the_given_directory(
    start: Callable[..., Ticking], tmp_path: Path
) -> None:
    process = start()
    until(lambda: list((tmp_path / "beat").glob("schedule*")), seconds=PATIENCE_SECONDS)
    process.stop()


def test_beat_of_another_process_takes_over_when_the_first_ends(
    start: Callable[..., Ticking],
) -> None:
    first = start()
    first.has_ticked(2)
    second = start("--send")
    second.has_ticked(1)
    assert second.ticks() == 1  # What it was sent: beat is the other's.
    first.stop()
    second.has_ticked(3)
    second.stop()


def test_beat_waits_while_another_process_holds_the_lock(
    start: Callable[..., Ticking], tmp_path: Path
) -> None:
    (tmp_path / "beat").mkdir()
    with (tmp_path / "beat" / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start("--send")
        process.has_ticked(1)
        assert process.ticks() == 1
    process.has_ticked(4)
    process.stop()


def test_killed_beat_is_taken_over(start: Callable[..., Ticking]) -> None:
    first = start()
    first.has_ticked(1)
    second = start()
    first.kill()
    second.has_ticked(2)
    second.stop()
