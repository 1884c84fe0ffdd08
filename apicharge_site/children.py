"""Processes that serve one parent: started again when they die, ended with it, never orphaned."""

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

RESTART_SECONDS_MIN = 0.2
RESTART_SECONDS_MAX = 5.0
HEALTHY_SECONDS = 10.0
STOP_SECONDS = 8.0


class Child:
    """`python -m MODULE ARGUMENT…` on a tether (see tethered.py), kept running until `stop`."""

    def __init__(
        self,
        command: list[str],
        *,
        directory: Path,
        log: Path,
        environment: Mapping[str, str],
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.command = command
        self._directory = directory
        self._log = log
        self._environment = dict(environment)
        self._pass_fds = pass_fds
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process = self._start()
        self._watch = threading.Thread(target=self._keep_running, daemon=True, name=command[0])
        self._watch.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "apicharge_site.tethered", *self.command],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=self._pass_fds,
                # The parent decides when it ends: Ctrl-C in the terminal is not for the child.
                start_new_session=True,
            )

    def _keep_running(self) -> None:
        pause = RESTART_SECONDS_MIN
        while True:
            started = time.monotonic()
            status = self._process.wait()
            _close(self._process.stdin)
            if time.monotonic() - started > HEALTHY_SECONDS:
                pause = RESTART_SECONDS_MIN
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, RESTART_SECONDS_MAX)
            with self._lock:
                if self._stopping.is_set():
                    return
                logger.warning("%s ended with %s; starting it again", self.command, status)
                self._process = self._start()

    def stop(self) -> None:
        with self._lock:
            self._stopping.set()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._watch.join()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()
