from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.billing.sandbox.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Everybody settled: lumens for all, USDC for buyer, payee and treasury."""
    town = Town(tmp_path)
    town.settle_people()
    yield town
    town.storage.close()


@pytest.fixture
def empty_town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    yield town
    town.storage.close()
