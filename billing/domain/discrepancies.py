"""What can be found not to fit, and the life of such a finding, as a table.

    open → explained → resolved, open → resolved; what is found again is open again

A finding is never removed. It is `resolved` by a look that no longer finds it, `explained` by
staff who say why it stands; if it comes back after it was resolved, it is open again.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Finding(StrEnum):
    # Chain against rows.
    NOT_RECORDED = "payment_not_recorded"  # On chain, and in no row.
    NOT_ON_CHAIN = "payment_not_on_chain"  # In a row, and the chain does not know it.
    RECORDED_WRONGLY = "payment_recorded_wrongly"  # Both, but not the same.
    # Payments against purchases.
    WITHOUT_PURCHASE = "payment_without_purchase"
    DIFFERS = "payment_differs"
    PAID_TWICE = "paid_twice"
    AMOUNT_DIFFERS = "amount_differs"  # Granted by a matched payment that now is not the price.
    # Payments against grants.
    WITHOUT_GRANT = "payment_without_grant"
    WITHOUT_PAYMENT = "grant_without_payment"
    # Grants against what they say.
    TOKEN_DIFFERS = "token_differs"  # noqa: S105 - a finding
    WITHOUT_LEDGER = "grant_without_ledger"
    LEDGER_DIFFERS = "ledger_differs"
    LEDGER_WITHOUT_GRANT = "ledger_without_grant"
    # What should have ended.
    STUCK = "stuck"
    TRANSACTION_STUCK = "transaction_stuck"


CHAIN_FINDINGS = frozenset({Finding.NOT_RECORDED, Finding.NOT_ON_CHAIN, Finding.RECORDED_WRONGLY})
ROW_FINDINGS = frozenset(Finding) - CHAIN_FINDINGS


class State(StrEnum):
    OPEN = "open"
    EXPLAINED = "explained"
    RESOLVED = "resolved"


class Event(StrEnum):
    FIND = "find"  # A look found it (again).
    MISS = "miss"  # A look at the same things did not find it.
    EXPLAIN = "explain"  # Staff wrote down why it stands.


TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.OPEN: {
            Event.FIND: State.OPEN,
            Event.MISS: State.RESOLVED,
            Event.EXPLAIN: State.EXPLAINED,
        },
        State.EXPLAINED: {
            Event.FIND: State.EXPLAINED,
            Event.MISS: State.RESOLVED,
            Event.EXPLAIN: State.EXPLAINED,
        },
        State.RESOLVED: {Event.FIND: State.OPEN},
    }
)


def after(state: State, event: Event) -> State | None:
    """None where the table has nothing: it cannot happen, and nothing changes."""
    return TRANSITIONS[state].get(event)


def before(event: Event, *, to: State) -> tuple[State, ...]:
    """The states that `event` moves to `to`."""
    return tuple(state for state, moves in TRANSITIONS.items() if moves.get(event) is to)
