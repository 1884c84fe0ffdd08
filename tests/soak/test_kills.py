"""`kill -9` of the whole server as a purchase enters each state: paid once, granted once.

Each server is started with a plan for its own death (killing.py) and the one after it finishes the
purchase. The plans go backwards through the states, so that finishing the last purchase never meets
the next plan; only a death at the very first state needs a server without one.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from apicharge_client import steps, tokens
from apicharge_client.buying import Buyer
from apicharge_client.errors import ApiChargeError
from apicharge_client.keys import Key
from apicharge_client.money import Budget
from apicharge_client.store import Grant, Store
from stellar_sdk import Keypair

from apicharge_site.demo.network import Network
from marketplace.domain import chains
from tests.servers import RunningServer, running_files, start_server

AMOUNT = 1_000_000
ROUTE = "files/all"
STATES = ["granted", "confirmed", "submitted", "authorized", "instructed"]
PLANS = [(state, moment) for state in STATES for moment in ("after", "before")]
SHORT = [PLANS[2 * number + number % 2] for number in range(len(STATES))]  # Each state once.
NONE: tuple[str, ...] = ()
SIGKILLED = -9
PATIENCE_SECONDS = 60.0


@dataclass
class Shop:
    server: RunningServer
    payee: Keypair
    network: Network
    home: Path
    buyers: int = 0

    def earned(self) -> int:
        usdc = chains.sandbox().assets["USDC"]
        return self.network.balance(self.payee.public_key, usdc.code, usdc.issuer)

    def granted(self) -> int:
        counted = "from billing.models import GrantedToken; print(GrantedToken.objects.count())"
        return int(self.server.python(counted))

    def start(self, plan: Sequence[str]) -> None:
        prefix = ["tests.soak.killing", " ".join(["billing_purchase", *plan])]
        self.server.start(prefix=prefix if plan else ["apicharge_site.tethered"])

    def somebody(self) -> "Persistent":
        self.buyers += 1
        somebody = Persistent(self.server, self.home / f"buyer-{self.buyers}")
        self.server.sandbox.fund(somebody.key.address, "USDC")
        return somebody


@dataclass
class Persistent:
    """A buyer who tries again until it has what it paid for."""

    server: RunningServer
    home: Path
    key: Key = field(init=False)
    grant: Grant | None = None

    def __post_init__(self) -> None:
        self.key = Key(Keypair.random().raw_secret_key())

    def buy(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        store = Store(self.home)
        while self.grant is None and time.monotonic() < deadline:
            buyer = Buyer(store, self.key, Budget.of("USDC:1"), rpc_url=self.server.rpc_url)
            flow = buyer.acquire(self.server.origin, ROUTE, self.server.origin)
            try:
                with httpx.Client(timeout=30) as client:
                    self.grant = steps.run(flow, client)
            except ApiChargeError:
                time.sleep(0.1)

    def call(self) -> int:
        assert self.grant is not None
        key = Key(bytes.fromhex(self.grant.access_seed))
        token = tokens.derive(self.grant.token, key, expires_at=int(time.time()) + 60)
        url = f"{self.server.origin}/gate/files/files/10.bin"
        return httpx.get(url, headers={"apicharge": token}).status_code


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    home, payee = tmp_path / "home", Keypair.random()
    home.mkdir(mode=0o700)
    quote = {"name": "Pass", "amount": AMOUNT, "asset": "USDC", "access_seconds": 3600}
    quote["limits"] = [{"kind": "calls", "count": 10}]
    route = {"slug": "all", "path": "/", "methods": [], "quotes": [quote]}
    with running_files(home) as files, start_server(home) as server:
        server.sandbox.fund(payee.public_key, "USDC")
        service = {"slug": "files", "upstream": files, "payee": payee.public_key}
        server.sell({**service, "routes": [route]})
        server.stop()
        network = Network(server.rpc_url)
        yield Shop(server, payee, network, tmp_path)
        network.close()


def play(shop: Shop, plans: Sequence[tuple[str, str]]) -> None:
    """Every plan in turn; each purchase is checked on its own."""
    earned, granted = shop.earned(), shop.granted()
    shop.start(plans[0])
    for number, plan in enumerate(plans):
        buyer = shop.somebody()
        trying = threading.Thread(target=buyer.buy)
        trying.start()
        assert shop.server.processes[0].wait(PATIENCE_SECONDS) == SIGKILLED, plan
        following = plans[number + 1] if number + 1 < len(plans) else NONE
        if plan[0] == "instructed":
            shop.start(NONE)
            trying.join()
            shop.server.stop()
            shop.start(following)
        else:
            shop.start(following)
            trying.join()
        assert buyer.call() == 200, plan
        assert shop.earned() - earned == (number + 1) * AMOUNT, plan
    assert shop.granted() - granted == len(plans)
    assert "Intact" in shop.server.manage("verify_audit")


@pytest.mark.timeout(300)
def test_server_killed_at_each_state_is_paid_once_and_grants_once(shop: Shop) -> None:
    play(shop, SHORT)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_server_killed_twenty_times_at_each_state_is_paid_once(shop: Shop) -> None:
    play(shop, PLANS * 10)
