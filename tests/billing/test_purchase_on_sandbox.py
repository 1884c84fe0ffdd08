"""Real purchases on a real (sandbox) network: from a quote to a grant, and every way it is refused."""

import time

import pytest
from django.test import Client

from billing import advancing, channels, following
from billing.domain.purchases import SETTLED
from billing.models import Purchase
from gateway.domain import tokens
from gateway.models import GrantLedger
from tests.billing.buying import Person, person, quote_for
from tests.sandboxes import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider(on_sandbox: RunningSandbox) -> Person:
    provider = person("provider")
    on_sandbox.fund(provider.address, "USDC")
    return provider


@pytest.fixture
def buyer(on_sandbox: RunningSandbox) -> Person:
    buyer = person("buyer")
    on_sandbox.fund(buyer.address, "USDC")
    channels.ensure(2, now_s=time.time())
    return buyer


def work(purchase_id: str, *, seconds: float = 20.0) -> Purchase:
    """Be the worker until the purchase is settled."""
    deadline = time.monotonic() + seconds
    while (purchase := Purchase.objects.get(pk=purchase_id)).state not in SETTLED:
        assert time.monotonic() < deadline, f"{purchase.state} for {seconds} s"
        for due in advancing.due_ids(now_s=time.time()):
            advancing.advance(due, now_s=time.time())
        following.follow(now_s=time.time())
        time.sleep(0.02)
    return purchase


def post(path: str, body: object, **headers: str):
    return Client().post(
        f"/apicharge/v1/{path}", body, content_type="application/json", headers=headers
    )


def test_signed_purchase_is_granted_with_what_was_sold(buyer: Person, provider: Person) -> None:
    quote = quote_for(provider.address)
    answer = post("purchases", {"quote": quote.to_json(), "buyer": buyer.address})
    assert answer.status_code == 201, answer.content
    instruction = answer.json()

    authorized = post(
        f"purchases/{instruction['id']}/authorization", buyer.authorization(instruction)
    )
    assert authorized.status_code == 202, authorized.content
    purchase = work(instruction["id"])

    assert purchase.state == "granted"
    shown = Client().get(f"/apicharge/v1/purchases/{instruction['id']}").json()
    grant = tokens.jws.parse(shown["granted_access_token"]).payload
    assert grant["jti"] == instruction["id"]
    assert grant["iat"] == grant["nbf"] == purchase.paid_at_s
    assert GrantLedger.objects.get().grant_id == instruction["id"]
