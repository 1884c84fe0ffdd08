"""The state table's properties. Each is about the table as a whole, not about one move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.purchases import (
    ENDS,
    PAID,
    TRANSITIONS,
    Event,
    IllegalMove,
    State,
    after,
    allows,
    may_be_authorized,
)

# By hand from protocol.md section 1: nothing else may happen.
LEGAL = {
    ("instructed", "authorize", "authorized"),
    ("instructed", "pay", "confirmed"),
    ("instructed", "lapse", "expired"),
    ("authorized", "submit", "submitted"),
    ("authorized", "pay", "confirmed"),
    ("authorized", "grant_free", "granted"),
    ("authorized", "reject", "rejected"),
    ("authorized", "lapse", "expired"),
    ("submitted", "pay", "confirmed"),
    ("submitted", "reject", "rejected"),
    ("submitted", "fail", "failed"),
    ("submitted", "lapse", "expired"),
    ("confirmed", "grant", "granted"),
    ("expired", "pay", "confirmed"),
    ("rejected", "pay", "confirmed"),
    ("failed", "pay", "confirmed"),
}
EVENTS = st.lists(st.sampled_from(Event), max_size=40)


def walk(events: list[Event]) -> list[State]:
    states = [State.INSTRUCTED]
    for event in events:
        if allows(states[-1], event):
            states.append(after(states[-1], event))
    return states


def test_table_holds_exactly_the_legal_moves() -> None:
    table = {
        (state.value, event.value, new.value)
        for state, moves in TRANSITIONS.items()
        for event, new in moves.items()
    }
    assert table == LEGAL


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_move_that_is_not_in_the_table_raises_and_names_both(state: State, event: Event) -> None:
    if (state.value, event.value) in {(old, what) for old, what, _ in LEGAL}:
        assert allows(state, event)
        return
    with pytest.raises(IllegalMove, match=f"{state.value} cannot {event.value}"):
        after(state, event)


@given(EVENTS)
def test_nothing_leaves_granted(events: list[Event]) -> None:
    states = walk(events)
    assert State.GRANTED not in states[:-1]


@given(EVENTS)
def test_grant_of_a_paid_purchase_follows_its_confirmation(events: list[Event]) -> None:
    states = walk([event for event in events if event is not Event.GRANT_FREE])
    if State.GRANTED in states:
        assert states[-2:] == [State.CONFIRMED, State.GRANTED]


@given(EVENTS)
def test_evidence_confirms_every_state_that_is_not_paid_yet(events: list[Event]) -> None:
    state = walk(events)[-1]
    if state not in PAID:
        assert after(state, Event.PAY) is State.CONFIRMED


@given(EVENTS)
def test_end_is_left_by_evidence_alone(events: list[Event]) -> None:
    state = walk(events)[-1]
    if state in ENDS:
        assert {event for event in Event if allows(state, event)} == {Event.PAY}


def test_only_an_instructed_purchase_may_be_authorized() -> None:
    assert [state for state in State if may_be_authorized(state)] == [State.INSTRUCTED]
