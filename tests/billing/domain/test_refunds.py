import pytest

from billing.domain.refunds import COUNTED, OPEN, TRANSITIONS, Event, State, allows, refused

MOVES = {
    (State.PREPARED, Event.SIGN),
    (State.PREPARED, Event.PAY),
    (State.PREPARED, Event.LAPSE),
    (State.PREPARED, Event.FAIL),
    (State.SIGNED, Event.PAY),
    (State.SIGNED, Event.LAPSE),
    (State.SIGNED, Event.FAIL),
    (State.EXPIRED, Event.PAY),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_only_what_the_table_says_can_happen(state: State, event: Event) -> None:
    assert allows(state, event) == ((state, event) in MOVES)


def test_evidence_of_payment_always_ends_as_refunded() -> None:
    found = {moves[Event.PAY] for moves in TRANSITIONS.values() if Event.PAY in moves}
    assert found == {State.REFUNDED}


def test_what_may_still_be_paid_counts_against_the_price() -> None:
    assert OPEN < COUNTED
    assert not COUNTED & {State.EXPIRED, State.FAILED}


@pytest.mark.parametrize(
    ("amount", "paid", "counted", "is_refused"),
    [
        (1, 1, 0, False),
        (10, 10, 0, False),
        (4, 10, 6, False),
        (5, 10, 6, True),
        (11, 10, 0, True),
        (0, 10, 0, True),
        (-1, 10, 0, True),
        (1, 10, 10, True),
    ],
)
def test_no_more_is_refunded_than_was_paid(
    amount: int, paid: int, counted: int, is_refused: bool
) -> None:
    assert (refused(amount=amount, paid=paid, counted=counted) is not None) == is_refused
