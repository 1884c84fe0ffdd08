"""The life of a purchase, as a table. What is not in the table cannot happen.

    instructed → authorized → submitted → confirmed → granted
    ends: expired, rejected, failed

Chain evidence (PAY) moves every state to `confirmed`, the ends included: money that has moved
outweighs whatever we believed. `granted` is left by nothing. A free purchase has no evidence to
wait for: its authorization is what it is granted for.

The row is moved by the same table: one conditional UPDATE from the state that was read
(billing/moving.py).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    INSTRUCTED = "instructed"
    AUTHORIZED = "authorized"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    GRANTED = "granted"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"


class Event(StrEnum):
    AUTHORIZE = "authorize"  # A valid authorization of the buyer was stored.
    SUBMIT = "submit"  # An envelope was committed; it may have been sent.
    PAY = "pay"  # Evidence on chain equals the row.
    GRANT = "grant"
    GRANT_FREE = "grant_free"  # Amount 0: the authorization is enough.
    LAPSE = "lapse"  # Nothing signed for it can be applied any more; evidence was followed so far.
    REJECT = "reject"  # The network refuses the call before it was sent.
    FAIL = "fail"  # The call was applied and failed.


class IllegalMove(Exception):
    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a purchase that is {state} cannot {event}")


TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.INSTRUCTED: {
            Event.AUTHORIZE: State.AUTHORIZED,
            Event.PAY: State.CONFIRMED,
            Event.LAPSE: State.EXPIRED,
        },
        State.AUTHORIZED: {
            Event.SUBMIT: State.SUBMITTED,
            Event.PAY: State.CONFIRMED,
            Event.GRANT_FREE: State.GRANTED,
            Event.REJECT: State.REJECTED,
            Event.LAPSE: State.EXPIRED,
        },
        State.SUBMITTED: {
            Event.PAY: State.CONFIRMED,
            Event.REJECT: State.REJECTED,
            Event.FAIL: State.FAILED,
            Event.LAPSE: State.EXPIRED,
        },
        State.CONFIRMED: {Event.GRANT: State.GRANTED},
        State.GRANTED: {},
        State.EXPIRED: {Event.PAY: State.CONFIRMED},
        State.REJECTED: {Event.PAY: State.CONFIRMED},
        State.FAILED: {Event.PAY: State.CONFIRMED},
    }
)

ENDS = frozenset({State.EXPIRED, State.REJECTED, State.FAILED})
SETTLED = ENDS | {State.GRANTED}
PAID = frozenset({State.CONFIRMED, State.GRANTED})


def after(state: State, event: Event) -> State:
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalMove(state, event) from None


def allows(state: State, event: Event) -> bool:
    return event in TRANSITIONS[state]


def may_be_authorized(state: State) -> bool:
    return allows(state, Event.AUTHORIZE)
