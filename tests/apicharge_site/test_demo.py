"""`manage.py demo` where others already run. CI plays the demo itself; this is the long form."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]


def test_demo_takes_other_ports_when_its_own_are_taken_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = [taken.getsockname()[1] for taken in (one, two)]
        variables = {"PORT": str(ports[0]), "SANDBOX_PORT": str(ports[1])}
        ended = subprocess.run(
            [sys.executable, "manage.py", "demo"],
            cwd=ROOT,
            env={**os.environ, **variables, "APICHARGE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "All 19 figures are as sold." in ended.stdout
    assert not any(f":{port}/" in ended.stdout for port in ports)
    assert list(tmp_path.glob("demo-*")) == []
