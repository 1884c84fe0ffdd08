"""What the chain says of a payment: its event is rebuilt from what was agreed, and compared.

The gateway names the transaction; what is in it, a network node that the user trusts tells.
"""

from collections.abc import Sequence

from stellar_sdk import StrKey, scval, xdr

from apicharge_client.checking import Order
from apicharge_client.errors import NotTrusted

NAME = "purchased"


def check(events: Sequence[str], order: Order, purchase_id: bytes) -> None:
    """`events` are the transaction's, as XDR. Raises unless ours is among them, to the byte."""
    if agreed_event(order, purchase_id).to_xdr() not in events:
        raise NotTrusted(
            f"The payment of {purchase_id.hex()} that the chain tells of is not what was agreed.",
            "The grant is kept. Show both to the gateway's operator.",
        )


def agreed_event(order: Order, purchase_id: bytes) -> xdr.ContractEvent:
    quote = order.quote
    topics = [
        scval.to_symbol(NAME),
        scval.to_address(order.buyer),
        scval.to_address(quote.payee),
        scval.to_bytes(quote.digest),
    ]
    told = scval.to_struct(
        {
            "access_key": scval.to_bytes(order.access_key),
            "amount": scval.to_int128(quote.amount),
            "asset": scval.to_address(quote.sac),
            "fee": scval.to_int128(quote.fee),
            "purchase_id": scval.to_bytes(purchase_id),
            "terms": scval.to_bytes(quote.terms),
            "treasury": scval.to_address(quote.treasury),
        }
    )
    return xdr.ContractEvent(
        xdr.ExtensionPoint(0),
        xdr.ContractID(xdr.Hash(StrKey.decode_contract(order.pin.contract))),
        xdr.ContractEventType.CONTRACT,
        xdr.ContractEventBody(0, xdr.ContractEventV0(topics, told)),
    )
