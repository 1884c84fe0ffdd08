"""The payment's event, as the contract emits it: a changed byte is another payment."""

import base64
from dataclasses import replace
from typing import Any

import httpx
import pytest
from apicharge_client import Buyer, quotes, receipts, steps
from apicharge_client.checking import Order
from apicharge_client.documents import Document
from apicharge_client.errors import NotTrusted
from apicharge_client.pins import Pin
from apicharge_client.store import Grant
from stellar_sdk import xdr

from tests.client.gateways import FakeGateway
from tests.client.instructions import CONTRACT, ISSUER, PASSPHRASE
from tests.vectors.contract import KNOWN, PAID

ID = bytes.fromhex(KNOWN["purchase_id"])
PAID_EVENTS = PAID[0]["events"]


def agreed(vector: dict[str, Any]) -> Order:
    issuers = {code: KNOWN["accounts"][f"issuer {code}"] for code in ("USDC", "EURC")}
    pin = Pin(KNOWN["signer"], KNOWN["contract"], KNOWN["passphrase"], issuers)
    quote = quotes.parse(Document(vector["quote"], "quote"))
    return Order(quote, pin, KNOWN["buyer"], bytes.fromhex(KNOWN["access_key"]))


@pytest.mark.parametrize("vector", PAID, ids=lambda vector: vector["label"])
def test_what_the_contract_emits_is_what_was_agreed(vector: dict[str, Any]) -> None:
    receipts.check(vector["events"], agreed(vector), ID)
    body = receipts.agreed_event(agreed(vector), ID).body.v0
    assert body is not None
    assert [topic.to_xdr() for topic in body.topics] == vector["event_topics"]
    assert body.data.to_xdr() == vector["event_data"]


def test_any_changed_byte_is_another_payment() -> None:
    order = agreed(PAID[0])
    event = receipts.agreed_event(order, ID).to_xdr_bytes()
    others = [told for told in PAID_EVENTS if base64.b64decode(told) != event]
    assert len(others) == len(PAID_EVENTS) - 1
    for place in range(len(event)):
        changed = bytearray(event)
        changed[place] ^= 1
        told = base64.b64encode(changed).decode()
        with pytest.raises(NotTrusted, match="is not what was agreed"):
            receipts.check([*others, told], order, ID)


def test_same_event_of_another_contract_is_none() -> None:
    order = agreed(PAID[0])
    other = replace(order, pin=replace(order.pin, contract=CONTRACT))
    with pytest.raises(NotTrusted):
        receipts.check(PAID_EVENTS, other, ID)


def bought(buyer: Buyer, gateway: FakeGateway) -> Grant:
    buyer.rpc_url = f"{gateway.origin}/rpc"
    with httpx.Client() as client:
        return steps.run(buyer.acquire(gateway.origin, gateway.route, gateway.origin), client)


def test_node_that_does_not_know_the_payment_says_nothing(
    buyer: Buyer, gateway: FakeGateway
) -> None:
    assert bought(buyer, gateway).route == gateway.route


def test_payment_that_the_chain_tells_otherwise_is_not_trusted_and_the_grant_is_kept(
    buyer: Buyer, gateway: FakeGateway
) -> None:
    events = {"contractEventsXdr": [PAID_EVENTS]}
    gateway.on_chain = {"status": "SUCCESS", "events": events}
    with pytest.raises(NotTrusted, match="is not what was agreed"):
        bought(buyer, gateway)
    held = buyer.store.held(gateway.origin, gateway.route)
    assert held.pending is None
    assert held.usable(0) is not None


def test_payment_that_the_chain_tells_as_agreed_is_trusted(
    buyer: Buyer, gateway: FakeGateway
) -> None:
    def on_chain() -> dict[str, object]:
        ((purchase_id, purchase),) = gateway.purchases.items()
        signer = gateway.signer
        pin = Pin(signer, CONTRACT, PASSPHRASE, {"USDC": ISSUER})
        quote = quotes.parse(Document(purchase.quote, "quote"))
        order = Order(quote, pin, purchase.buyer, purchase.access_key)
        event: xdr.ContractEvent = receipts.agreed_event(order, bytes.fromhex(purchase_id))
        return {"status": "SUCCESS", "events": {"contractEventsXdr": [[event.to_xdr()]]}}

    gateway.node = lambda call: (  # type: ignore[method-assign] # as above
        on_chain() if call["method"] == "getTransaction" else {"sequence": gateway.rpc_ledger}
    )
    assert bought(buyer, gateway).route == gateway.route
