"""`manage.py setup`, where something it needs is missing."""

from pathlib import Path

from tests import databases, nursery
from tests.servers import free_ports


def test_silent_network_is_said_with_what_to_do(tmp_path: Path) -> None:
    databases.fresh_sqlite(tmp_path, "apicharge.sqlite3")
    [port] = free_ports(1)
    variables = {"APICHARGE_HOME": str(tmp_path), "SANDBOX_PORT": str(port)}
    status, said = nursery.run("manage", "setup", environment=variables, seconds=60)
    assert status == 1
    assert "Traceback" not in said
    assert f"start the network of http://127.0.0.1:{port}" in said
    assert "run this again" in said
