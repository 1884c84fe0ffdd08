"""Python processes that start at once: forked from one that has the libraries imported already.

What a test starts here is a process like any other, with an environment, a group and a standard
input of its own, killed and waited for like any other. It only did not import Django, stellar_sdk
and the rest by itself, which would be most of what a short test run does. Our own modules are
imported after the fork, as they read the environment.

    child = nursery.start("manage", "serve", environment={…}, output=log)
    child.wait(10.0)

The nursery is one process for a test run (one for each worker), which ends with it.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
REQUEST_BYTES_MAX = 256 * 1024
DESCRIPTORS_MAX = 16
LIBRARIES = """
    asyncio ssl sqlite3 decimal http.server
    django.core.management django.core.asgi django.core.handlers.asgi django.forms
    django.db.backends.sqlite3.base django.db.migrations.executor django.template.loader
    stellar_sdk celery.app.trace celery.apps.worker celery.apps.beat celery.concurrency.solo
    kombu.transport.memory uvicorn uvicorn.protocols.http.httptools_impl uvloop httptools
    websockets pyreqwest pyqwest h2.connection wasmtime nacl.signing channels.routing httpx
    markdown_it nh3 prometheus_client rfc8785 redis.asyncio psycopg psycopg_pool environ
    whitenoise.middleware jsonschema yaml fpdf fontTools.subset cryptography.x509 pygments.styles
    pygments.formatters pygments.lexers rest_framework.serializers drf_spectacular.apps uritemplate
    channels.generic.websocket django.contrib.postgres.forms django.contrib.admin.options
    django.contrib.admin.views.main django.contrib.auth.password_validation django.views.i18n
"""


class Child:
    """A process of the nursery's, as `subprocess.Popen` would have it."""

    def __init__(self, pid: int, ended: int, stdin: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb", buffering=0)
        self._ended = ended

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._ended, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self.returncode = int(os.read(self._ended, 32).decode())
            os.close(self._ended)
            self.stdin.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # It ended in between.
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    output: int | IO[bytes],
    errors: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
    inherits: bool = True,
) -> Child:
    """`python -m MODULE ARGUMENT…` in a session of its own; what it says goes to `output`.

    `environment` comes on top of ours, or stands in its place where the process `inherits` nothing.
    """
    reading, writing = os.pipe()
    ended, ending = os.pipe()
    out = output if isinstance(output, int) else output.fileno()
    err = out if errors is None else errors if isinstance(errors, int) else errors.fileno()
    wanted = {
        "module": module,
        "arguments": arguments,
        "environment": {**(os.environ if inherits else {}), **(environment or {})},
        "pass_fds": list(pass_fds),
    }
    descriptors = [ending, reading, out, err, *pass_fds]
    control = _nursery()
    socket.send_fds(control, [json.dumps(wanted).encode()], descriptors)
    pid = int(control.recv(32).decode())
    os.close(reading)
    os.close(ending)
    return Child(pid, ended, writing)


def run(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    seconds: float,
    inherits: bool = True,
) -> tuple[int, str]:
    """Until it ends: its status, and all that it said."""
    reading, writing = os.pipe()
    child = start(module, *arguments, environment=environment, output=writing, inherits=inherits)
    os.close(writing)
    deadline = time.monotonic() + seconds
    with os.fdopen(reading, "rb") as said, selectors.DefaultSelector() as selector:
        selector.register(said, selectors.EVENT_READ)
        heard = b""
        while selector.select(max(0.0, deadline - time.monotonic())):
            if not (piece := os.read(reading, 65_536)):
                break
            heard += piece
        else:
            child.kill()
    return child.wait(seconds), heard.decode()


def end() -> None:
    """When the tests are over: the nursery ends with its socket."""
    if _nursery.cache_info().currsize:
        _nursery().close()
        _nursery.cache_clear()


@cache
def _nursery() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, "-m", "tests.nursery", str(number)]
        # It ends when the other end of its socket is closed, so nobody has to wait for it.
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=(number,))
    process.returncode = 0
    return ours


def _serve(control: socket.socket) -> dict[str, object] | None:
    """Fork a process for each request. Returns in a forked one, what it is to be; or at the end."""
    endings: dict[int, int] = {}
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wake in ready:
                os.read(wake, 4096)
                _bury(endings)
            if control.fileno() not in ready:
                continue
            request, descriptors, _, _ = socket.recv_fds(
                control, REQUEST_BYTES_MAX, DESCRIPTORS_MAX
            )
            if not request:
                return None
            pid = os.fork()
            if pid == 0:
                break
            endings[pid] = descriptors[0]
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            control.send(str(pid).encode())
    wanted: dict[str, object] = json.loads(request)
    control.close()  # Before a descriptor of the child's has its number.
    _settle_in(wanted, descriptors, [wake, woken, *endings.values()])
    return wanted


def _bury(endings: dict[int, int]) -> None:
    while endings:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        ending = endings.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # Nobody waits for it any more.
            os.write(ending, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(ending)


def _settle_in(wanted: dict[str, object], descriptors: list[int], foreign: list[int]) -> None:
    """What fork leaves to do: descriptors, signals, session and environment of its own."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    ending, *standard = descriptors[:4]
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    asked = wanted["pass_fds"]
    assert isinstance(asked, list)
    given = [os.dup(descriptor) for descriptor in descriptors[4:]]
    for descriptor in {ending, *descriptors, *foreign} - {0, 1, 2}:
        os.close(descriptor)
    # Above all that are open, so that none is overwritten before it was moved.
    above = [_moved_up(descriptor) for descriptor in given]
    for descriptor, number in zip(above, asked, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    environment = wanted["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)


def _moved_up(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 500)
    os.close(descriptor)
    return moved


def _become(wanted: dict[str, object]) -> None:
    module, arguments = wanted["module"], wanted["arguments"]
    assert isinstance(module, str)
    assert isinstance(arguments, list)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for library in LIBRARIES.split():
        importlib.import_module(library)
    gc.freeze()  # Collecting what was imported would copy its pages in every child.
    connection = socket.socket(fileno=int(sys.argv[1]))
    work = _serve(connection)
    connection.close()
    if work is not None:
        _become(work)
