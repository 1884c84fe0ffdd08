from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.balancing import (
    CONNECT_FAILURES_MAX,
    EJECTION_SECONDS,
    EJECTION_SECONDS_MAX,
    ERRORS_MAX,
    RETRIES_SAVED_MAX,
    Destination,
    Outcome,
    RetryBudget,
    Way,
    choose,
    may_retry,
)

WEIGHTS = st.lists(st.integers(1, 9), min_size=1, max_size=6)
WAYS = st.sampled_from(list(Way))
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["call", "probe", "wait"]),
        st.sampled_from(list(Outcome)),
        st.floats(0.0, 6.0),
        st.integers(0, 5),
    ),
    max_size=60,
)


def of(weights: list[int]) -> list[Destination]:
    return [Destination(weight) for weight in weights]


def eject(destination: Destination, outcome: Outcome, now: float) -> None:
    for _ in range(ERRORS_MAX):
        destination.report(outcome, now)


@given(WEIGHTS)
def test_weighted_gives_each_exactly_its_share_of_every_round(weights: list[int]) -> None:
    destinations = of(weights)
    for _ in range(3):
        chosen = Counter(choose(destinations, Way.WEIGHTED, 0.0) for _ in range(sum(weights)))
        assert [chosen[number] for number in range(len(weights))] == weights


@given(WEIGHTS)
def test_round_robin_gives_each_one_call_of_every_round(weights: list[int]) -> None:
    destinations = of(weights)
    for _ in range(3):
        chosen = [choose(destinations, Way.ROUND_ROBIN, 0.0) for _ in weights]
        assert sorted(map(str, chosen)) == [str(number) for number in range(len(weights))]


@given(WEIGHTS, st.integers(1, 60))
def test_least_requests_levels_what_runs_by_weight(weights: list[int], calls: int) -> None:
    destinations = of(weights)
    for _ in range(calls):
        number = choose(destinations, Way.LEAST_REQUESTS, 0.0)
        assert number is not None
        destinations[number].begin(0.0)
    for one in destinations:
        for other in destinations:
            assert one.running / one.weight <= (other.running + 1) / other.weight + 1e-9


@given(WEIGHTS, WAYS, EVENTS)
def test_whatever_happens_the_choice_is_one_that_may_be_called(
    weights: list[int], way: Way, events: list[tuple[str, Outcome, float, int]]
) -> None:
    destinations, now = of(weights), 0.0
    for act, outcome, seconds, at in events:
        if act == "wait":
            now += seconds
            continue
        one = destinations[at % len(destinations)]
        if act == "probe":
            one.probed(well=outcome is Outcome.SERVED, healthy_after=2, unhealthy_after=2)
            continue
        number = choose(destinations, way, now)
        if number is None:
            assert all(each.is_cut_off(now) for each in destinations)
            continue
        chosen = destinations[number]
        assert not chosen.is_cut_off(now)
        if chosen.is_down or not (chosen.is_closed() or chosen.awaits_trial(now)):
            better = [each for each in destinations if each.is_closed() and not each.is_down]
            assert not better
        is_trial = chosen.begin(now)
        chosen.end()
        chosen.report(outcome, now, is_trial=is_trial)
        assert chosen.running == 0
        assert chosen.ejected_until is None or chosen.ejected_until <= now + EJECTION_SECONDS_MAX


@given(WEIGHTS, WAYS)
def test_each_is_tried_once_and_then_there_is_none(weights: list[int], way: Way) -> None:
    destinations = of(weights)
    tried: list[int] = []
    while (number := choose(destinations, way, 0.0, tried)) is not None:
        tried.append(number)
    assert sorted(tried) == list(range(len(weights)))


def test_unreachable_destination_is_left_alone_and_tried_by_one_call() -> None:
    one, other = destinations = of([1, 1])
    for _ in range(CONNECT_FAILURES_MAX):
        one.report(Outcome.UNREACHABLE, 10.0)
    assert {choose(destinations, Way.ROUND_ROBIN, 10.1) for _ in range(8)} == {1}
    later = 10.0 + EJECTION_SECONDS
    assert 0 in [choose(destinations, Way.ROUND_ROBIN, later) for _ in range(2)]
    assert one.begin(later)
    assert {choose(destinations, Way.ROUND_ROBIN, later) for _ in range(8)} == {1}
    one.report(Outcome.SERVED, later, is_trial=True)
    assert {choose(destinations, Way.ROUND_ROBIN, later) for _ in range(8)} == {0, 1}
    assert other.failures == 0


def test_each_failed_trial_doubles_the_pause_up_to_its_cap() -> None:
    [one] = of([1])
    for _ in range(CONNECT_FAILURES_MAX):
        one.report(Outcome.UNREACHABLE, 0.0)
    pauses, now = [], 0.0
    for _ in range(6):
        assert one.ejected_until is not None
        pauses.append(one.ejected_until - now)
        now = one.ejected_until
        assert one.begin(now)
        one.report(Outcome.UNREACHABLE, now, is_trial=True)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_trial_that_was_given_up_is_tried_again() -> None:
    [one] = of([1])
    eject(one, Outcome.UNREACHABLE, 0.0)
    assert one.begin(9.0)
    assert not one.begin(9.0)
    one.report(Outcome.UNKNOWN, 9.0)
    assert not one.awaits_trial(9.0)
    one.report(Outcome.UNKNOWN, 9.0, is_trial=True)
    assert one.awaits_trial(9.0)


def test_nobody_is_sent_where_no_connection_stands() -> None:
    destinations = of([1, 1])
    for each in destinations:
        eject(each, Outcome.UNREACHABLE, 0.0)
    assert choose(destinations, Way.ROUND_ROBIN, 0.1) is None
    assert choose(destinations, Way.ROUND_ROBIN, EJECTION_SECONDS) is not None


def test_errors_and_failed_checks_do_not_take_the_last_one_away() -> None:
    one, other = destinations = of([1, 1])
    eject(one, Outcome.FAILED, 0.0)
    assert choose(destinations, Way.ROUND_ROBIN, 0.1) == 1
    for _ in range(3):
        other.probed(well=False, healthy_after=2, unhealthy_after=3)
    assert other.is_down
    assert {choose(destinations, Way.ROUND_ROBIN, 0.1) for _ in range(4)} == {0, 1}


def test_health_changes_after_so_many_answers_in_a_row() -> None:
    one = Destination()
    said = []
    for well in (False, False, True, False, False, False, True, False, True, True):
        one.probed(well=well, healthy_after=2, unhealthy_after=3)
        said.append(one.is_down)
    assert said == [False] * 5 + [True] * 4 + [False]


@pytest.mark.parametrize(
    ("outcome", "method", "has_body", "may"),
    [
        (Outcome.UNREACHABLE, "POST", True, True),
        (Outcome.FAILED, "GET", False, True),
        (Outcome.FAILED, "PUT", True, False),
        (Outcome.FAILED, "POST", False, False),
        (Outcome.UNKNOWN, "GET", False, False),
        (Outcome.SERVED, "GET", False, False),
    ],
)
def test_only_what_cannot_happen_twice_is_repeated(
    outcome: Outcome, method: str, has_body: bool, may: bool
) -> None:
    assert may_retry(outcome, method, has_body=has_body) is may


@given(st.lists(st.booleans(), max_size=400))
def test_retries_in_no_time_are_bounded_by_the_calls(acts: list[bool]) -> None:
    budget, calls, retries = RetryBudget(), 0, 0
    for is_call in acts:
        if is_call:
            budget.called()
            calls += 1
        else:
            retries += budget.takes(0.0)
    assert retries <= RETRIES_SAVED_MAX + calls * 0.2 + 1e-6


def test_spent_budget_grows_by_time() -> None:
    budget = RetryBudget(saved=0.0)
    assert not budget.takes(0.0)
    assert budget.takes(0.2)
    assert budget.takes(0.21)
    assert not budget.takes(0.22)
