"""A worker is killed at each point of a purchase, another finishes it: one payment, one grant."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from billing import auditing, channels, conf, keys, submitting
from billing.domain.audit import Intact
from billing.models import ChainTransaction, GrantedToken, Payment, Purchase
from gateway.models import GrantLedger
from marketplace import quoting
from tests.billing.api.speaking import Api
from tests.billing.buying import Person, person, quote_for
from tests.billing.test_purchase_on_sandbox import work
from tests.databases import ROOT, environment
from tests.sandboxes import RunningSandbox, running_sandbox

POINTS = ["submitted", "before_send", "after_send", "confirmed", "granted"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Slower than the others' network: an authorization must outlive the start of a process."""
    home = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(home, close_ms=200, signers=[quoting.signer_public_key()]) as running:
        yield running


@pytest.fixture
def people(
    database: str, on_sandbox: RunningSandbox, request: pytest.FixtureRequest
) -> tuple[Person, Person]:
    buyer, payee = (person(f"{request.node.name} {role}") for role in ("buyer", "payee"))
    for somebody in (buyer, payee):
        on_sandbox.fund(somebody.address, "USDC")
    channels.ensure(1, now_s=time.time())
    keys.ensure_registered()
    return buyer, payee


def dying_worker(point: str, purchase_id: str, *, database: str, home: Path) -> int:
    secrets = {
        f"APICHARGE_{name}_KEY": getattr(settings, f"{name}_KEY_SEED").reveal()
        for name in ("QUOTE", "GRANT", "CHANNEL")
    }
    process = subprocess.run(
        [sys.executable, "-m", "tests.billing.dying", point, purchase_id],
        cwd=ROOT,
        env={
            **environment(database, home),
            **secrets,
            "APICHARGE_RPC_URL": settings.RPC_URL,
            "DJANGO_SETTINGS_MODULE": "apicharge_site.settings",
        },
        timeout=60,
        check=False,
    )
    return process.returncode


@pytest.mark.parametrize("point", POINTS)
def test_purchase_survives_the_death_of_its_worker(
    people: tuple[Person, Person], database: str, tmp_path: Path, point: str
) -> None:
    buyer, payee = people
    quote = quote_for(payee.address)
    api = Api()
    instruction: dict[str, Any] = api.buy(quote.to_json(), buyer).body
    api.authorize(instruction, buyer)

    status = dying_worker(point, instruction["id"], database=database, home=tmp_path)
    assert status == -signal.SIGKILL
    before = Purchase.objects.get().state
    assert before == (point if point in {"confirmed", "granted"} else "submitted")
    assert work(instruction["id"]).state == "granted"

    assert len(conf.rail().find_payments(quote.digest)) == 1
    assert Payment.objects.filter(purchase_ref=instruction["id"]).count() == 1
    assert GrantedToken.objects.get().purchase_id == instruction["id"]
    assert GrantLedger.objects.get().grant_id == instruction["id"]
    assert isinstance(auditing.verify(), Intact)
    submitting.sweep(now_s=time.time())
    assert not ChainTransaction.objects.filter(state__in=ChainTransaction.OPEN).exists()
