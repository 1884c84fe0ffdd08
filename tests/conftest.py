import gc
from pathlib import Path

import pytest
from django.conf import settings

from tests import flushing, nursery, promptness

pytest_plugins = ["tests.databases"]

# Files of these start processes and wait for them. Begun last they would keep one worker busy
# when the others have nothing left to do.
SLOW = (
    "soak",
    "protocol",
    "gateway/ledgers",
    "apicharge_site",
    "gateway/e2e",
    "billing",
    "marketplace/admin",
)

flushing.install()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--to-the-letter", action="store_true", help="hold times exactly: alone here")


def pytest_configure(config: pytest.Config) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if config.getoption("--to-the-letter"):
        promptness.to_the_letter()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.path))


def pytest_collection_finish() -> None:
    """Thousands of tests and all libraries live until the end: they are not looked through again.

    A sixth of a worker's processor time went there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _rank(path: Path) -> int:
    inside = path.relative_to(Path(__file__).parent).as_posix()
    return next((rank for rank, one in enumerate(SLOW) if inside.startswith(one)), len(SLOW))


def pytest_unconfigure() -> None:
    nursery.end()
