import pytest

from billing.domain.discrepancies import (
    CHAIN_FINDINGS,
    ROW_FINDINGS,
    TRANSITIONS,
    Event,
    Finding,
    State,
    after,
    before,
)

MOVES = {
    (State.OPEN, Event.FIND): State.OPEN,
    (State.OPEN, Event.MISS): State.RESOLVED,
    (State.OPEN, Event.EXPLAIN): State.EXPLAINED,
    (State.EXPLAINED, Event.FIND): State.EXPLAINED,
    (State.EXPLAINED, Event.MISS): State.RESOLVED,
    (State.EXPLAINED, Event.EXPLAIN): State.EXPLAINED,
    (State.RESOLVED, Event.FIND): State.OPEN,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_only_what_the_table_says_can_happen(state: State, event: Event) -> None:
    assert after(state, event) == MOVES.get((state, event))


def test_every_state_has_its_moves() -> None:
    assert set(TRANSITIONS) == set(State)


def test_what_is_missed_was_open_or_explained() -> None:
    assert before(Event.MISS, to=State.RESOLVED) == (State.OPEN, State.EXPLAINED)


def test_every_finding_is_of_the_chain_or_of_rows() -> None:
    assert set(Finding) == CHAIN_FINDINGS | ROW_FINDINGS
    assert not CHAIN_FINDINGS & ROW_FINDINGS
