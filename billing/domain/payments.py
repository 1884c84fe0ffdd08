"""A payment as the chain tells it, and whether it is the one that a purchase waits for.

Every field is compared. A payment that differs in one of them buys nothing: whoever pays a cheap
quote under an expensive purchase's id, or with another access key, has made a payment that staff
will look at, not a grant.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Terms:
    """What the chain must say. Ids, keys and digests are hex; amounts are base units."""

    purchase_id: str
    buyer: str
    digest: str
    access_key: str
    asset: str  # The asset's contract.
    amount: int
    fee: int
    payee: str
    treasury: str


@dataclass(frozen=True, slots=True)
class Payment:
    terms: Terms
    tx_hash: str
    ledger: int
    closed_at_s: int  # Close time of the paying ledger.


def differences(paid: Terms, expected: Terms) -> tuple[str, ...]:
    """The names of the fields in which a payment is not the expected one."""
    names = (field.name for field in fields(Terms))
    return tuple(name for name in names if getattr(paid, name) != getattr(expected, name))
