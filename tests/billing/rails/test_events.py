"""The `purchased` event, read strictly: a node's word is taken for nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from stellar_sdk import StrKey, scval, xdr
from stellar_sdk.soroban_rpc import EventInfo

from billing.domain.payments import Terms
from billing.rails.stellar import events
from billing.rails.stellar.events import NotAPurchase
from marketplace.domain.chains import sandbox
from tests.vectors.contract import KNOWN, PAID

CONTRACT = sandbox().contract
OTHER_CONTRACT = sandbox().assets["USDC"].sac
each = pytest.mark.parametrize("vector", PAID, ids=lambda vector: vector["label"])


def event_of(vector: dict[str, Any], **changes: Any) -> EventInfo:
    return EventInfo.model_validate(
        {
            "type": "contract",
            "ledger": 77,
            "ledgerClosedAt": "2026-11-21T05:00:00Z",
            "contractId": CONTRACT,
            "id": "0000000330712481792-0000000000",
            "topic": vector["event_topics"],
            "value": vector["event_data"],
            "operationIndex": 0,
            "transactionIndex": 1,
            "txHash": "ab" * 32,
            **changes,
        }
    )


@each
def test_event_is_read_into_what_was_paid(vector: dict[str, Any]) -> None:
    payment = events.of_event(event_of(vector), contract=CONTRACT)
    quote = vector["quote"]
    assert payment.terms == Terms(
        purchase_id=KNOWN["purchase_id"],
        buyer=KNOWN["buyer"],
        digest=quote["digest"],
        access_key=KNOWN["access_key"],
        asset=quote["price"]["sac"],
        amount=int(quote["price"]["amount"]),
        fee=int(quote["fee"]),
        payee=quote["payee"],
        treasury=quote["treasury"],
    )
    assert (payment.ledger, payment.tx_hash) == (77, "ab" * 32)
    assert payment.closed_at_s == int(datetime(2026, 11, 21, 5, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "changes",
    [
        {"contractId": OTHER_CONTRACT},
        {"type": "diagnostic"},
        {"inSuccessfulContractCall": False},
        {"topic": PAID[0]["event_topics"][:3]},
        {"topic": [scval.to_symbol("refunded").to_xdr(), *PAID[0]["event_topics"][1:]]},
        {"topic": [*PAID[0]["event_topics"][:3], scval.to_bytes(b"short").to_xdr()]},
        {"topic": [PAID[0]["event_topics"][0], *[scval.to_uint32(1).to_xdr()] * 3]},
        {"value": scval.to_void().to_xdr()},
        {"value": scval.to_struct({"amount": scval.to_int128(1)}).to_xdr()},
    ],
)
def test_event_that_is_not_exactly_a_purchase_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAPurchase):
        events.of_event(event_of(PAID[0], **changes), contract=CONTRACT)


@pytest.mark.parametrize(("amount", "fee"), [(-1, 0), (1, 2), (2**63, 0), (2**100, 1), (5, -1)])
def test_amounts_that_no_quote_has_are_refused(amount: int, fee: int) -> None:
    struct = scval.from_struct(xdr.SCVal.from_xdr(PAID[0]["event_data"]))
    data = {**struct, "amount": scval.to_int128(amount), "fee": scval.to_int128(fee)}
    with pytest.raises(NotAPurchase):
        events.of_event(event_of(PAID[0], value=scval.to_struct(data).to_xdr()), contract=CONTRACT)


def emitted(contract: str, topics: list[str]) -> str:
    body = xdr.ContractEventV0(
        topics=[xdr.SCVal.from_xdr(topic) for topic in topics],
        data=xdr.SCVal.from_xdr(PAID[0]["event_data"]),
    )
    return xdr.ContractEvent(
        ext=xdr.ExtensionPoint(0),
        contract_id=xdr.ContractID(xdr.Hash(StrKey.decode_contract(contract))),
        type=xdr.ContractEventType.CONTRACT,
        body=xdr.ContractEventBody(0, v0=body),
    ).to_xdr()


def test_only_our_contracts_events_of_a_transaction_are_payments() -> None:
    purchased = PAID[0]["event_topics"]
    other = [scval.to_symbol("transfer").to_xdr(), *purchased[1:]]
    found = events.of_transaction(
        [[emitted(OTHER_CONTRACT, purchased), emitted(CONTRACT, other)]],
        contract=CONTRACT,
        tx_hash="ab" * 32,
        ledger=77,
        closed_at_s=5,
    )
    assert found == ()
    ours = events.of_transaction(
        [[emitted(OTHER_CONTRACT, other)], [emitted(CONTRACT, purchased)]],
        contract=CONTRACT,
        tx_hash="ab" * 32,
        ledger=77,
        closed_at_s=5,
    )
    assert [payment.terms.digest for payment in ours] == [PAID[0]["quote"]["digest"]]
