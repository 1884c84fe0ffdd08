import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.fields import Direction
from gateway.domain.limits import LimitError, parse_limits
from gateway.domain.rates import GROUPS, SECOND_US, Bandwidth, PaceState, Rate, RateState

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rates.json").read_text())
ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3 * SECOND_US), st.integers(1, 5)), min_size=1, max_size=120
)


@pytest.mark.parametrize("vector", VECTORS["rate"], ids=lambda vector: vector["about"])
def test_rate_follows_the_vectors(vector: dict[str, object]) -> None:
    [limit] = parse_limits([vector["limit"]])
    assert isinstance(limit, Rate)
    steps = vector["steps"]
    assert isinstance(steps, list)
    state = RateState(limit, steps[0]["now_us"])
    for step in steps:
        if undone := step.get("undo"):
            state.undo(undone)
        else:
            assert state.take(step["wanted"], step["now_us"]) == step["granted"], step
        assert state.wait_us(step["now_us"]) == step["wait_us"], step
        assert state.left(step["now_us"]) == step["left"], step


@settings(deadline=None)
@given(ARRIVALS, st.integers(1, 40), st.integers(1, 5))
def test_no_window_wherever_it_begins_sees_more_than_was_sold(
    arrivals: list[tuple[int, int]], count: int, window_seconds: int
) -> None:
    limit, now_us = Rate(count, window_seconds), 0
    state = RateState(limit, now_us)
    admitted: list[int] = []
    for pause_us, wanted in arrivals:
        now_us += pause_us
        admitted += [now_us] * state.take(wanted, now_us)
    window_us = window_seconds * SECOND_US
    for began_us in admitted:
        assert sum(began_us <= each < began_us + window_us for each in admitted) <= count


@settings(deadline=None)
@given(ARRIVALS, st.integers(1, 40), st.integers(1, 5))
def test_a_rate_that_is_waited_for_is_served_and_loses_a_64th_of_a_window_at_most(
    arrivals: list[tuple[int, int]], count: int, window_seconds: int
) -> None:
    limit, now_us = Rate(count, window_seconds), 0
    state = RateState(limit, now_us)
    admitted: list[int] = []
    for pause_us, wanted in arrivals:
        now_us += pause_us
        admitted += [now_us] * state.take(wanted, now_us)
        wait_us = state.wait_us(now_us)
        window_us = window_seconds * SECOND_US
        if len(admitted) >= count:
            due_us = admitted[-count] + window_us
            assert wait_us <= max(0, due_us - now_us) + window_us // GROUPS
        else:
            assert wait_us == 0


@settings(deadline=None)
@given(ARRIVALS, st.integers(1, 40), st.integers(1, 5), st.integers(1, 80))
def test_a_bucket_serves_its_burst_and_what_refilled_and_no_more(
    arrivals: list[tuple[int, int]], count: int, window_seconds: int, burst: int
) -> None:
    state, now_us, served = RateState(Rate(count, window_seconds, burst), 0), 0, 0
    for pause_us, wanted in arrivals:
        now_us += pause_us
        served += state.take(wanted, now_us)
        assert served <= burst + count * now_us / (window_seconds * SECOND_US) + 1e-3


@settings(deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 366 * 86_400), st.none() | st.integers(1, 10**6))
def test_after_the_stated_wait_there_is_one(
    count: int, window_seconds: int, burst: int | None
) -> None:
    limit = Rate(count, window_seconds, burst)
    state, now_us = RateState(limit, 0), 5
    state.take(limit.total, now_us)
    assert state.take(1, now_us + state.wait_us(now_us)) == 1


def test_a_state_is_bounded_whatever_comes() -> None:
    limit = Rate(100_000, 10)
    state = RateState(limit, 0)
    for now_us in range(0, 30 * SECOND_US, 1000):
        state.take(3, now_us)
    assert len(state._log.groups) <= GROUPS + 2


def test_a_clock_set_back_does_not_close_the_rate_for_as_long() -> None:
    hour_us = 3600 * SECOND_US
    state = RateState(Rate(10, 1), hour_us)
    assert state.take(10, hour_us) == 10
    assert state.wait_us(0) <= SECOND_US
    assert state.take(10, SECOND_US) == 10


def test_terms_write_the_burst_out_and_words_say_it() -> None:
    raw = [
        {"kind": "rate", "count": 100, "window_seconds": 10},
        {"kind": "rate", "count": 1, "window_seconds": 60, "burst": 5},
        {"kind": "concurrency", "count": 5},
    ]
    limits = parse_limits(raw)
    assert [limit.terms() for limit in limits] == [{**raw[0], "burst": None}, *raw[1:]]
    assert [limit.words() for limit in limits] == [
        "at most 100 calls in any 10 seconds",
        "at most 1 call in any minute, 5 at once",
        "at most 5 calls at a time",
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"kind": "rate", "count": 1}, "window_seconds must be an integer"),
        ({"kind": "rate", "count": 1, "window_seconds": None}, "window_seconds must be an integer"),
        ({"kind": "rate", "count": 1, "window_seconds": 31_622_401}, "from 1 to 31622400"),
        ({"kind": "rate", "count": 1, "window_seconds": 1, "burst": 0}, "burst must be from 1"),
        ({"kind": "concurrency", "count": 0}, "count must be from 1"),
        ({"kind": "concurrency", "count": 1, "window_seconds": 1}, "is not a field of this limit"),
    ],
)
def test_a_rate_that_means_nothing_is_refused(raw: dict[str, object], message: str) -> None:
    with pytest.raises(LimitError, match=message):
        parse_limits([raw])


PACE = Bandwidth(Direction.DOWN, 1_000_000)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(1, 65_536)), max_size=80))
def test_bandwidth_has_no_burst_over_a_quarter_of_a_window(
    takes: list[tuple[int, int]],
) -> None:
    state, now_us = PaceState(PACE, 0), 0
    taken: list[tuple[int, int]] = []
    for pause_us, wanted in takes:
        now_us += pause_us
        taken.append((now_us, state.take(wanted, now_us)))
    for began, (from_us, _) in enumerate(taken):
        total = 0
        for at_us, units in taken[began:]:
            total += units
            assert total <= 250_001 + (at_us - from_us)


def test_bandwidth_follows_the_vectors() -> None:
    for vector in VECTORS["bandwidth"]:
        [limit] = parse_limits([vector["limit"]])
        assert isinstance(limit, Bandwidth)
        state = PaceState(limit, vector["steps"][0]["now_us"])
        for step in vector["steps"]:
            assert state.take(step["wanted"], step["now_us"]) == step["granted"], step


@settings(deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 60))
def test_bandwidth_that_is_always_wanted_flows_as_sold(speed: int, window_seconds: int) -> None:
    state, total = PaceState(Bandwidth(Direction.UP, speed, window_seconds), 0), 0
    for now_us in range(0, 5_000_001, 20_000):
        total += state.take(10**15, now_us)
    burst = max(1, speed * window_seconds / 20)
    assert 5 * speed - 1 <= total <= 5 * speed + burst + 1


def test_bandwidth_is_described() -> None:
    [limit] = parse_limits([{"kind": "bandwidth", "direction": "down", "bytes_per_second": 10**6}])
    assert limit.terms() == {
        "kind": "bandwidth",
        "direction": "down",
        "bytes_per_second": 10**6,
        "window_seconds": 1,
    }
    assert limit.words() == "1 MB a second downloading"
    assert limit.name == "bandwidth-down"
