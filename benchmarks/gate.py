"""Our gate under test: a database of its own, what is on sale in it, and its processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import ROOT, Running, free_port, running

SERVICE = "/gate/weather"


class Gate:
    def __init__(self, home: Path, upstream: str) -> None:
        self._home = home
        self._upstream = upstream
        self._port = free_port()
        self._origin = f"http://127.0.0.1:{self._port}"
        self._environment = {
            "APICHARGE_HOME": str(home),
            "APICHARGE_ORIGIN": self._origin,
            "PORT": str(self._port),
            "H2_PORT": "0",
            "UPSTREAM_NETWORKS": "127.0.0.1/32",
        }
        self._sold: list[str] = []
        self._manage("migrate", "-v", "0")

    @property
    def base(self) -> str:
        return self.base_at(self._port)

    def base_at(self, port: int) -> str:
        return f"http://127.0.0.1:{port}{SERVICE}"

    @contextmanager
    def serving(self, core: str, port: int | None = None) -> Iterator[Running]:
        port = port or self._port
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        environment = {**self._environment, "APICHARGE_ROLE": "gateway"}
        with running(core, command, port, environment) as process:
            yield process

    def publish(self, *, routes: int) -> None:
        self._python(f"publish({self._upstream!r}, {routes})")

    def sell(self, *, limits: int) -> str:
        """A grant with so many limits; its token."""
        [token] = self._python(f"print(*sell({limits}, 1))").split()
        return token

    def tokens(self, count: int) -> list[str]:
        """Of so many grants with three limits each; who are missing are sold."""
        if (missing := count - len(self._sold)) > 0:
            self._sold += self._python(f"print(*sell(3, {missing}))").split()
        return self._sold[:count]

    def _python(self, code: str) -> str:
        code = f"from benchmarks.selling import publish, sell; {code}"
        return self._manage("shell", "--no-imports", "-v", "0", "-c", code)

    def _manage(self, *arguments: str) -> str:
        environment: Mapping[str, str] = {**os.environ, **self._environment}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
