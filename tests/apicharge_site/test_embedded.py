import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from apicharge_site.embedded import start_workers
from tests.waiting import until

# One application for all tests here: Celery's workers keep the tasks of the first one per process.
app = Celery("embedded", broker="memory://", set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_default_queue="embedded",
    broker_transport_options={"polling_interval": 0.02},
    beat_schedule={"tick": {"task": "embedded.tick", "schedule": 0.05}},
)
ticks: list[int] = []


@app.task(name="embedded.tick")
def tick() -> None:
    ticks.append(threading.get_ident())


@pytest.fixture(autouse=True)
def no_ticks_yet() -> Iterator[None]:
    ticks.clear()
    yield
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"worker", "beat"})


def test_beat_and_worker_run_in_this_process_until_stopped(tmp_path: Path) -> None:
    stop = start_workers(app, tmp_path)
    until(lambda: len(ticks) >= 3)
    stop()


def test_schedule_lives_in_the_given_directory(tmp_path: Path) -> None:
    stop = start_workers(app, tmp_path / "beat")
    until(lambda: list((tmp_path / "beat").glob("schedule*")))
    stop()


def test_beat_of_another_process_takes_over_when_the_first_ends(tmp_path: Path) -> None:
    stop_first = start_workers(app, tmp_path)
    until(lambda: len(ticks) >= 2)
    stop_second = start_workers(app, tmp_path)
    stop_first()
    ticks.clear()
    until(lambda: len(ticks) >= 2)
    stop_second()


def test_beat_waits_while_another_process_holds_the_lock(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stop = start_workers(app, tmp_path)
        tick.delay()
        until(lambda: ticks)
        assert len(ticks) == 1
    until(lambda: len(ticks) >= 3)
    stop()
