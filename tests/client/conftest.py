from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apicharge_client import Budget, Buyer, Key, Store

from tests.client.gateways import FakeGateway, running

BUYER_SEED = b"\x71" * 32


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with running(FakeGateway()) as fake:
        yield fake


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def buyer(store: Store) -> Buyer:
    return Buyer(store, Key(BUYER_SEED), Budget.of("USDC:1", total=("USDC:10",)))


@pytest.fixture
def another(store: Store) -> Callable[..., Buyer]:
    """The same buyer in another process: nothing is shared but the store."""

    def make(*budget: str) -> Buyer:
        return Buyer(Store(store.home), Key(BUYER_SEED), Budget.of(*(budget or ("USDC:1",))))

    return make
