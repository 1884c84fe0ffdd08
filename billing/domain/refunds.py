"""The life of a refund, as a table: a transfer that the provider signs, never we.

    prepared → signed → refunded
    ends: expired, failed

We build the transaction, the provider's own key signs it, and the chain says whether it happened.
Evidence moves an expired one too. A transaction that failed on chain can never succeed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    PREPARED = "prepared"
    SIGNED = "signed"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    FAILED = "failed"


class Event(StrEnum):
    SIGN = "sign"  # The provider's signature was given to us.
    PAY = "pay"  # The transfer is on chain.
    LAPSE = "lapse"  # Provably never applied.
    FAIL = "fail"  # Applied, and failed.


TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.PREPARED: {
            Event.SIGN: State.SIGNED,
            Event.PAY: State.REFUNDED,
            Event.LAPSE: State.EXPIRED,
            Event.FAIL: State.FAILED,
        },
        State.SIGNED: {
            Event.PAY: State.REFUNDED,
            Event.LAPSE: State.EXPIRED,
            Event.FAIL: State.FAILED,
        },
        State.REFUNDED: {},
        State.EXPIRED: {Event.PAY: State.REFUNDED},
        State.FAILED: {},
    }
)

OPEN = frozenset({State.PREPARED, State.SIGNED})
COUNTED = OPEN | {State.REFUNDED}  # Against what the buyer paid.


def allows(state: State, event: Event) -> bool:
    return event in TRANSITIONS[state]


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the chain must say. Amounts are base units; `asset` is the asset's contract."""

    payer: str
    receiver: str
    asset: str
    amount: int


def refused(*, amount: int, paid: int, counted: int) -> str | None:
    """Why a buyer who paid `paid` is not refunded `amount` more, or None."""
    if amount < 1:
        return "A refund is at least one base unit."
    if amount > paid - counted:
        return f"At most {paid - counted} base units are left to refund of {paid} that were paid."
    return None
