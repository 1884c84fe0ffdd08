"""Whole servers for end-to-end tests: real processes, real sockets, a state directory of their own.

    with start_server(tmp_path, processes=4) as server:
        server.sell(...)
        httpx.get(f"{server.origin}/gate/files/…")

The sandbox network is one process beside them; it survives the servers, as a real network would.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from apicharge_site.state import secret_file
from gateway.domain import ed25519
from tests import databases, nursery
from tests.sandboxes import RunningSandbox, start_sandbox
from tests.waiting import until

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 45.0
CLOSE_MS = 100
TETHERED = ("apicharge_site.tethered",)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@dataclass
class Process:
    """`python -m MODULE …` on a tether, so that it never outlives the test run."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    pass_fds: tuple[int, ...] = ()
    _running: nursery.Child | None = None

    def start(self, *, prefix: Sequence[str] = TETHERED) -> None:
        with self.log.open("ab") as log:
            self._running = nursery.start(
                *prefix,
                *self.command,
                environment=self.environment,
                output=log,
                pass_fds=self.pass_fds,
            )

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def ended(self) -> bool:
        return self._running is None or self._running.poll() is not None

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        assert self._running is not None
        return self._running.wait(seconds)

    def signal(self, number: int) -> None:
        assert self._running is not None
        self._running.send_signal(number)

    def stop(self) -> int:
        assert self._running is not None
        self._running.send_signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._running.kill()
            raise

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()
            self.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, verify=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running_files(home: Path) -> Iterator[str]:
    """The demo's file and stream server: its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        number = listener.fileno()
        command = ["apicharge_site.demo.files_server", "--fd", str(number)]
        process = Process(command, {}, home / "files.log", (number,))
        process.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        process.kill()


@dataclass
class RunningServer:
    """Several `serve` processes with one database, one issuer and one sandbox network."""

    home: Path
    origins: list[str]
    sandbox: RunningSandbox
    environment: dict[str, str]
    h2_ports: list[int] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """The issuer: the first process. The others serve its tokens too."""
        return self.origins[0]

    @property
    def rpc_url(self) -> str:
        return self.sandbox.url

    def __enter__(self) -> "RunningServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.sandbox.kill()

    def manage(self, *arguments: str) -> str:
        """What `manage.py ARGUMENT…` prints, run beside the servers."""
        status, said = nursery.run(
            "manage", *arguments, environment=self.environment, seconds=START_SECONDS
        )
        assert status == 0, said
        return said

    def python(self, code: str) -> str:
        """What Python CODE prints with the servers' database at hand."""
        return self.manage("shell", "--no-imports", "--verbosity", "0", "--command", code)

    def sell(self, service: Mapping[str, object]) -> None:
        """Put a service on sale; tests/selling.py says what `service` looks like."""
        self.python(f"from tests.selling import sell; sell({dict(service)!r})")
        for origin in self.origins:
            address = f"{origin}/gate/{service['slug']}/"
            until(lambda address=address: httpx.head(address).status_code != 404)

    def start(self, *, prefix: Sequence[str] = TETHERED) -> None:
        for process in self.processes:
            process.start(prefix=prefix)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        for origin, process in zip(self.origins, self.processes, strict=True):
            until(
                lambda origin=origin, process=process: (
                    answers(f"{origin}/readyz") or _fail_if_ended(process)
                ),
                seconds=START_SECONDS,
            )

    def stop(self) -> list[int]:
        """SIGTERM to all at once; their exit statuses."""
        for process in self.processes:
            os.kill(process.pid, signal.SIGTERM)
        return [process.wait() for process in self.processes]

    def kill(self) -> None:
        """SIGKILL to all serving processes; the sandbox network goes on."""
        for process in self.processes:
            process.kill()


def _fail_if_ended(process: Process) -> bool:
    assert not process.ended(), process.log.read_text()[-4000:]
    return False


def start_server(
    home: Path,
    *,
    processes: int = 1,
    database_url: str | None = None,
    redis_url: str | None = None,
    role: str = "all",
    close_ms: int = CLOSE_MS,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = TETHERED,
) -> RunningServer:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if database_url is None:
        databases.fresh_sqlite(home, "apicharge.sqlite3")
    found = free_ports(2 * processes)
    ports, h2_ports = found[:processes], found[processes:]
    scheme = "https" if environment and "APICHARGE_TLS_CERT" in environment else "http"
    origins = [f"{scheme}://127.0.0.1:{port}" for port in ports]
    quote_seed = secret_file(home / "keys" / "quote")
    signer = ed25519.public_key(bytes.fromhex(quote_seed))
    sandbox = start_sandbox(home, close_ms=close_ms, signers=[signer])
    variables = {
        "APICHARGE_HOME": str(home),
        "APICHARGE_ORIGIN": origins[0],
        "PORT": str(ports[0]),
        "H2_PORT": str(h2_ports[0]),
        "SANDBOX_PORT": str(sandbox.port),
        "UPSTREAM_NETWORKS": "127.0.0.1/32",
        **({"DATABASE_URL": database_url} if database_url else {}),
        **({"REDIS_URL": redis_url} if redis_url else {}),
        **(environment or {}),
    }
    server = RunningServer(home, origins, sandbox, variables, h2_ports)
    server.processes = [
        Process(
            ["manage", "serve", "--port", str(port), "--h2-port", str(h2_port), "--drain", "5"],
            {**variables, "APICHARGE_ROLE": role},
            home / f"serve-{port}.log",
        )
        for port, h2_port in zip(ports, h2_ports, strict=True)
    ]
    try:
        server.manage("setup")
        server.start(prefix=prefix)
    except BaseException:
        server.__exit__()
        raise
    return server
