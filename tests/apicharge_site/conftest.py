"""One whole server for the tests of a module, with a free offer for its files."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from apicharge_client import steps, tokens
from apicharge_client.buying import Buyer
from apicharge_client.keys import Key
from apicharge_client.store import Store
from stellar_sdk import Keypair

from tests.servers import RunningServer, running_files, start_server


@dataclass
class Site:
    server: RunningServer
    home: Path

    @property
    def origin(self) -> str:
        return self.server.origin

    def token(self) -> str:
        """An access token of a new grant that cost nothing."""
        payer = Keypair.random()
        buyer = Buyer(Store(self.home / payer.public_key), Key(payer.raw_secret_key()))
        with httpx.Client(timeout=60) as client:
            grant = steps.run(buyer.acquire(self.origin, "files/all", self.origin), client)
        key = Key(bytes.fromhex(grant.access_seed))
        return tokens.derive(grant.token, key, expires_at=int(time.time()) + 60)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    home.chmod(0o700)
    quote = {"name": "Trial", "amount": 0, "asset": "USDC", "access_seconds": 600}
    quote["limits"] = [{"kind": "calls", "count": 20}]
    route = {"slug": "all", "path": "/", "methods": [], "quotes": [quote]}
    with running_files(home) as files, start_server(home) as server:
        payee = Keypair.random().public_key
        server.sell({"slug": "files", "upstream": files, "payee": payee, "routes": [route]})
        yield Site(server, home)
