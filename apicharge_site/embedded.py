"""Celery inside the serving process, for the embedded default: one machine, no broker to run.

Every serving process has a worker (its memory transport reaches nobody else), and exactly one
process of a state directory runs beat: whoever holds the lock. Tasks only hint that rows are due,
so work that a dead process had queued is found again by the next tick of any other.
"""

import fcntl
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from celery import Celery
from celery.beat import Service

logger = logging.getLogger(__name__)

WORKER_THREADS = 4
LOCK_RETRY_SECONDS = 1.0
STOP_SECONDS = 10.0

Stop = Callable[[], None]


class Beat:
    """Beat in a thread, as soon as this process is the one that may run it."""

    def __init__(self, app: Celery, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (directory / "lock").open("ab")
        self._service = Service(app, schedule_filename=str(directory / "schedule"))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="beat")
        self._thread.start()

    def _run(self) -> None:
        while not _try_lock(self._lock):
            if self._stopping.wait(LOCK_RETRY_SECONDS):
                return
        try:
            self._service.start()
        finally:
            # Whatever ended it, another process may take over.
            self._lock.close()

    def stop(self) -> None:
        self._stopping.set()
        self._service.stop()
        self._thread.join(STOP_SECONDS)
        self._lock.close()


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def start_workers(app: Celery, directory: Path) -> Stop:
    """Start worker and beat as threads of this process; call what is returned to end both."""
    worker = app.WorkController(
        pool="threads",
        concurrency=WORKER_THREADS,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    thread = threading.Thread(target=worker.start, daemon=True, name="worker")
    thread.start()
    beat = Beat(app, directory)

    def stop() -> None:
        beat.stop()
        worker.stop()
        thread.join(STOP_SECONDS)

    return stop
