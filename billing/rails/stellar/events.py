"""The contract's `purchased` event, read into a `Payment`. Whatever is not exactly one is refused.

Topics: Symbol "purchased", buyer, payee, quote digest. Data: a struct with access_key, amount,
asset, fee, purchase_id, terms and treasury.
"""

from collections.abc import Sequence

from stellar_sdk import Address, StrKey, scval, xdr
from stellar_sdk.soroban_rpc import EventInfo

from billing.domain.payments import Payment, Terms

NAME = "purchased"
TOPIC = scval.to_symbol(NAME).to_xdr()
FIELDS = frozenset({"access_key", "amount", "asset", "fee", "purchase_id", "terms", "treasury"})
AMOUNT_MAX = 2**63 - 1  # No quote of ours asks for more.


class NotAPurchase(ValueError):
    """The event is not what our contract emits."""


def read(topics: Sequence[xdr.SCVal], data: xdr.SCVal) -> Terms:
    try:
        return _read(topics, data)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise NotAPurchase(str(exc)) from exc


def _read(topics: Sequence[xdr.SCVal], data: xdr.SCVal) -> Terms:
    if len(topics) != 4 or topics[0].to_xdr() != TOPIC:
        raise NotAPurchase("topics are not those of a purchase")
    struct = scval.from_struct(data)
    if set(struct) != FIELDS:
        raise NotAPurchase(f"fields are {sorted(struct)}")
    amount, fee = scval.from_int128(struct["amount"]), scval.from_int128(struct["fee"])
    if not 0 <= fee <= amount <= AMOUNT_MAX:
        raise NotAPurchase(f"amount {amount} and fee {fee} are not a quote's")
    return Terms(
        purchase_id=_bytes_32(struct["purchase_id"]),
        buyer=_address(topics[1]),
        digest=_bytes_32(topics[3]),
        access_key=_bytes_32(struct["access_key"]),
        asset=_address(struct["asset"]),
        amount=amount,
        fee=fee,
        payee=_address(topics[2]),
        treasury=_address(struct["treasury"]),
    )


def of_transaction(
    contract_events: Sequence[Sequence[str]],
    *,
    contract: str,
    tx_hash: str,
    ledger: int,
    closed_at_s: int,
) -> tuple[Payment, ...]:
    """Payments among the events of a successful transaction. Other events are not ours to judge."""
    payments = []
    for text in (event for operation in contract_events for event in operation):
        event = xdr.ContractEvent.from_xdr(text)
        body = event.body.v0
        if body is None or event.contract_id is None:
            continue
        if StrKey.encode_contract(event.contract_id.contract_id.hash) != contract:
            continue
        if body.topics and body.topics[0].to_xdr() == TOPIC:
            payments.append(Payment(read(body.topics, body.data), tx_hash, ledger, closed_at_s))
    return tuple(payments)


def of_event(event: EventInfo, *, contract: str) -> Payment:
    """A payment from `getEvents`. That the node was asked for our contract only is no proof."""
    if event.contract_id != contract:
        raise NotAPurchase(f"event of {event.contract_id}")
    # Not by attribute: the SDK warns of the field, which newer nodes leave out.
    succeeded = vars(event).get("in_successful_contract_call")
    if event.event_type != "contract" or succeeded is False:
        raise NotAPurchase("event of a call that did not succeed")
    topics = [xdr.SCVal.from_xdr(topic) for topic in event.topic]
    terms = read(topics, xdr.SCVal.from_xdr(event.value))
    return Payment(
        terms, event.transaction_hash, event.ledger, int(event.ledger_close_at.timestamp())
    )


def _bytes_32(value: xdr.SCVal) -> str:
    raw = scval.from_bytes(value)
    if len(raw) != 32:
        raise NotAPurchase("an id, digest or key that has not 32 bytes")
    return raw.hex()


def _address(value: xdr.SCVal) -> str:
    address: Address = scval.from_address(value)
    return address.address
