"""What becomes of a buyer's wish for money back.

    asked → refunded, declined, withdrawn

Only the provider can pay, so a request waits for the provider; the chain says when it was paid.
A declined or withdrawn one that is paid after all is refunded.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    ASKED = "asked"
    REFUNDED = "refunded"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    PAY = "pay"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.ASKED: {
            Event.PAY: State.REFUNDED,
            Event.DECLINE: State.DECLINED,
            Event.WITHDRAW: State.WITHDRAWN,
        },
        State.REFUNDED: {},
        State.DECLINED: {Event.PAY: State.REFUNDED},
        State.WITHDRAWN: {Event.PAY: State.REFUNDED},
    }
)


def before(event: Event) -> list[State]:
    """From where `event` leads on."""
    return [state for state, moves in TRANSITIONS.items() if event in moves]
