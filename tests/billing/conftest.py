from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from marketplace import quoting
from tests.sandboxes import RunningSandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """One network for all tests that pay on one; they use accounts of their own."""
    home: Path = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(home, close_ms=50, signers=[quoting.signer_public_key()]) as running:
        yield running


@pytest.fixture
def on_sandbox(sandbox: RunningSandbox, settings: Settings) -> RunningSandbox:
    settings.RPC_URL = sandbox.url
    return sandbox


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    """Throttles count in the cache, which outlives a test."""
    cache.clear()


@pytest.fixture(autouse=True)
def _static_root(settings: Settings, tmp_path: Path) -> None:
    """WhiteNoise warns of a directory that only `collectstatic` makes."""
    settings.STATIC_ROOT = tmp_path
