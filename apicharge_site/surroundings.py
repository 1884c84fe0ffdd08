"""What `manage.py run` starts on one machine: the sandbox network, the demo's upstream and the
server, each its own process on a tether.

Sockets are bound here and inherited, so that a process that is started again serves the same port.
"""

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import httpx

from apicharge_site.children import Child
from gateway import listening

START_SECONDS = 30.0
HOST = "127.0.0.1"
POLL_SECONDS = 0.05
TAIL_LINES = 15


class Unavailable(Exception):
    """Something else is in the way: a port, or another run with the same state directory."""


class Surroundings:
    """The processes of one run, ended in reverse order."""

    def __init__(self, home: Path, directory: Path) -> None:
        self._home = home
        self._directory = directory
        self._stack = ExitStack()
        self._logs = home / "logs"
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __enter__(self) -> "Surroundings":
        self._stack.enter_context(_locked(self._home / "run.lock"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def listen(self, port: int, variable: str) -> socket.socket:
        """A listening socket of our own on the loopback address; port 0 takes any that is free."""
        with _refusing(port, variable):
            return self._stack.enter_context(listening.listener(HOST, port))

    def start(
        self, name: str, *command: str, pass_fds: tuple[int, ...] = (), **environment: str
    ) -> Path:
        """Run `python -m COMMAND…` until the end of this run. Answers the file it logs to."""
        log = self._logs / f"{name}.log"
        child = Child(
            list(command),
            directory=self._directory,
            log=log,
            environment={**os.environ, **environment},
            pass_fds=pass_fds,
        )
        self._stack.callback(child.stop)
        return log


def require_free(port: int, variable: str) -> None:
    """Refuse a port that somebody listens on, for a child that binds it itself."""
    with _refusing(port, variable):
        listening.listener(HOST, port).close()


@contextmanager
def _refusing(port: int, variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"Port {port} is taken. Choose another with {variable}=…, or end what listens there."
        ) from error


def wait_for(what: str, answers: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if answers():
                return
        except httpx.TransportError:
            pass  # Not up yet.
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{what} did not start in {START_SECONDS:.0f} s. The end of {log}:\n{_tail(log)}"
            )
        time.sleep(POLL_SECONDS)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _locked(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Unavailable(
            f"Another run uses {path.parent}. Choose another directory with APICHARGE_HOME=…"
        ) from error
    return file
