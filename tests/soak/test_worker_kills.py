"""A worker is killed with SIGKILL at each point of a purchase, many times; another finishes it.

The dying worker is a fork: the same code as a process of its own, without the second that a start
takes. The one after it has a clock that is ahead, so that what the dead one had taken is due.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from billing import advancing, auditing, authorizing, channels, conf, following, keys, noting
from billing.domain.audit import Intact
from billing.domain.purchases import SETTLED
from billing.models import ChainTransaction, Discrepancy, GrantedToken, Payment, Purchase
from billing.rails.port import SignatureOffered
from gateway.models import GrantLedger
from marketplace import quoting
from tests.billing.api.speaking import Api
from tests.billing.buying import PRICE, Person, person, quote_for
from tests.billing.test_purchase_on_sandbox import balance
from tests.sandboxes import RunningSandbox, running_sandbox

POINTS = ["submitted", "before_send", "after_send", "confirmed", "granted"]
ROUNDS = 100
AHEAD_S = 12.0  # Longer than a worker's claim, and than the wait before bytes are sent again.
PATIENCE_S = 60.0


@pytest.fixture
def town(database: str, tmp_path: Path, settings: Settings) -> Iterator[RunningSandbox]:
    signers = [quoting.signer_public_key()]
    with running_sandbox(tmp_path, close_ms=50, signers=signers) as sandbox:
        settings.RPC_URL = sandbox.url
        channels.ensure(2, now_s=time.time())
        keys.ensure_registered()
        yield sandbox


def authorized(buyer: Person, payee: Person) -> str:
    asked: dict[str, Any] = Api().buy(quote_for(payee.address).to_json(), buyer).body
    signature = buyer.sign(bytes.fromhex(asked["authorization_to_sign"]))
    offered = SignatureOffered(buyer.address, signature)
    authorizing.authorize(asked["id"], offered, now_s=time.time())
    return str(asked["id"])


def die_at(point: str, purchase_id: str) -> None:
    """In a fork with connections of its own, which ends in the middle of things."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            from tests.billing import dying  # noqa: PLC0415 - its hooks belong to the fork

            conf.rail_at.cache_clear()
            dying.install(point)
            dying.work(purchase_id)
        finally:
            os._exit(1)  # It should have been killed.
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def finish(purchase_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while Purchase.objects.get(pk=purchase_id).state not in SETTLED:
        assert time.monotonic() < deadline
        advancing.advance(purchase_id, now_s=time.time() + AHEAD_S)
        following.follow(now_s=time.time() + AHEAD_S)
    assert Purchase.objects.get(pk=purchase_id).state == "granted"


def kill(town: RunningSandbox, rounds: int) -> None:
    payee, buyer = person("killed payee"), person("killed buyer")
    for somebody in (payee, buyer):
        town.fund(somebody.address, "USDC")
    before = balance(town, payee)
    sold = []
    for _ in range(rounds):
        for point in POINTS:
            purchase_id = authorized(buyer, payee)
            die_at(point, purchase_id)
            finish(purchase_id)
            sold.append(purchase_id)
    assert balance(town, payee) - before == len(sold) * PRICE
    paid = Payment.objects.filter(standing="matched").values_list("purchase_ref", flat=True)
    assert sorted(paid) == sorted(sold)
    assert set(GrantedToken.objects.values_list("purchase_id", flat=True)) == set(sold)
    assert set(GrantLedger.objects.values_list("pk", flat=True)) == set(sold)
    assert ChainTransaction.objects.filter(state="applied").count() == len(sold)
    assert isinstance(auditing.verify(), Intact)
    noting.look_at_rows(now_s=time.time() + AHEAD_S)
    noting.look_at_chain(now_s=time.time() + AHEAD_S)
    assert not Discrepancy.objects.exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_purchases_survive_the_death_of_their_workers(town: RunningSandbox) -> None:
    """The short form; tests/billing/test_crashes.py kills processes of their own on PostgreSQL."""
    kill(town, 1)


@pytest.mark.soak
def test_purchases_survive_a_hundred_deaths_at_each_point(town: RunningSandbox) -> None:
    kill(town, ROUNDS)
