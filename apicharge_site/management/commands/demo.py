import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from apicharge_client.errors import ApiChargeError as ClientError
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apicharge_site.demo.acts import Stage, play
from apicharge_site.demo.customer import Customer
from apicharge_site.demo.network import Network
from apicharge_site.demo.transcript import Deviation, Transcript
from apicharge_site.surroundings import Unavailable, wait_for

CLOSE_MS = "500"
STOP_SECONDS = 20.0
# What would make the demo another one than everybody else's.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "UPSTREAM_NETWORKS", "APICHARGE_")


class Command(BaseCommand):
    help = "Sell access to two APIs on a sandbox network, gate it, and check every figure."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keep", action="store_true", help="keep the state directory")

    def handle(self, *, keep: bool, **_options: object) -> None:
        settings.HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = Path(tempfile.mkdtemp(prefix="demo-", dir=settings.HOME))
        try:
            self._play(home)
        except (Deviation, Unavailable, ClientError, httpx.HTTPError, LookupError) as error:
            raise CommandError(f"{error}\nState and logs are kept in {home}.") from error
        if keep:
            self.stdout.write(f"State and logs: {home}")
        else:
            shutil.rmtree(home)

    def _play(self, home: Path) -> None:
        wanted = (settings.PORT, settings.SANDBOX_PORT, settings.H2_PORT)
        port, sandbox_port, h2_port = (_usable(port) for port in wanted)
        environment = _environment(home, port, sandbox_port, h2_port)
        origin, rpc_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
        self.stdout.write(f"Starting {origin}/ with the sandbox network on {rpc_url}/ …")
        with (
            _running(environment, home),
            closing(Customer(origin, rpc_url, home / "buyer")) as customer,
            closing(Network(rpc_url)) as network,
        ):
            log = home / "run.log"
            wait_for("The demo", lambda: _answers(f"{origin}/readyz"), log)

            def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
                return _manage(environment, *arguments)

            stage = Stage(
                origin=origin,
                home=home,
                transcript=Transcript(self.stdout.write),
                customer=customer,
                network=network,
                chain=settings.CHAIN,
                manage=manage,
            )
            play(stage)


def _answers(url: str) -> bool:
    return httpx.get(url, timeout=5).status_code == 200


def _environment(home: Path, port: int, sandbox_port: int, h2_port: int) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {
        **own,
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "H2_PORT": str(h2_port),
        "APICHARGE_HOME": str(home),
        "APICHARGE_SANDBOX_CLOSE_MS": CLOSE_MS,
    }


def _usable(preferred: int) -> int:
    """The port that was asked for, or another one when somebody listens there."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            return number
    raise Unavailable("No port is free.")


@contextmanager
def _running(environment: Mapping[str, str], home: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "apicharge_site.tethered", "manage", "run"]
    with (home / "run.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            cwd=settings.BASE_DIR,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _manage(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
