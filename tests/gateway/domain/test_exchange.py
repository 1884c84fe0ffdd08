import pytest

from gateway.domain.errors import FOR_END, PROBLEMS
from gateway.domain.exchange import (
    ALL,
    BILLS,
    BYTES,
    NOTHING,
    TRANSITIONS,
    End,
    IllegalStep,
    State,
    Step,
    advance,
    bill,
)


def test_every_end_has_one_bill_for_each_charge() -> None:
    assert set(BILLS) == set(End)


def test_every_end_that_somebody_can_hear_of_has_its_problem() -> None:
    unheard = {End.COMPLETED, End.CLIENT_GONE, End.UPSTREAM_ERROR, End.IDLE}
    assert set(FOR_END) == set(End) - unheard


def test_problem_types_are_told_apart() -> None:
    slugs = [problem.slug for problem in PROBLEMS]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_step_that_is_not_in_the_table_is_a_bug(state: State, step: Step) -> None:
    if step in TRANSITIONS[state]:
        assert advance(state, step) is TRANSITIONS[state][step]
    else:
        with pytest.raises(IllegalStep, match=f"{step} .* {state}"):
            advance(state, step)


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize("always", [False, True])
def test_nothing_sent_costs_nothing(end: End, always: bool) -> None:
    assert bill(end, state=State.ADMITTED, status=None, always=always) is NOTHING


@pytest.mark.parametrize("end", End)
def test_server_error_costs_nothing_however_it_ended(end: End) -> None:
    assert bill(end, state=State.ANSWERED, status=503, always=False) is NOTHING
    assert bill(end, state=State.ANSWERED, status=503, always=True) is ALL


@pytest.mark.parametrize(
    ("end", "state", "expected"),
    [
        (End.COMPLETED, State.ANSWERED, ALL),
        (End.UPSTREAM_UNREACHABLE, State.SENT, NOTHING),
        (End.UPSTREAM_SILENT, State.SENT, NOTHING),
        (End.UPSTREAM_TRUNCATED, State.ANSWERED, BYTES),
        (End.CLIENT_GONE, State.SENT, ALL),
        (End.EXPIRED, State.ANSWERED, ALL),
        (End.LEDGER_UNAVAILABLE, State.SENT, NOTHING),
        (End.CLOSING, State.ANSWERED, BYTES),
    ],
)
def test_bill(end: End, state: State, expected: object) -> None:
    assert bill(end, state=state, status=200, always=False) is expected
