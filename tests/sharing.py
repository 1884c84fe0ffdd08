"""`pytest -p tests.sharing`: tests as they are with `REDIS_URL`, on a Redis of the run's own.

Cache, sessions, throttles and the Channels layer are then shared as in production. Settings are
read before any conftest.py is, so this is a plugin. Each worker of a parallel run has a Redis to
itself, as tests empty the cache.
"""

import os
import tempfile
from pathlib import Path

import pytest

from tests.gateway.ledgers.test_redis import SERVER, Server

if SERVER is None:
    raise pytest.UsageError("redis-server is not installed.")
_home = tempfile.TemporaryDirectory(prefix="apicharge-redis-")
_server = Server(Path(_home.name))
_server.start()
os.environ["REDIS_URL"] = _server.url


def pytest_unconfigure() -> None:
    _server.kill()
    _home.cleanup()
