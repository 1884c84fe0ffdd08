"""The paid purchases of tests/vectors, as orders."""

from typing import Any

from billing.rails.port import Order
from marketplace.domain import quotes
from tests.vectors.contract import KNOWN

SIGNER = bytes.fromhex(KNOWN["signer"])


def order_of(vector: dict[str, Any]) -> Order:
    return Order(
        purchase_id=bytes.fromhex(KNOWN["purchase_id"]),
        buyer=KNOWN["buyer"],
        access_key=bytes.fromhex(KNOWN["access_key"]),
        quote=quotes.from_json(vector["quote"]),
    )
