"""The table says what was measured, and nothing about what was not."""

import pytest

from benchmarks.figures import Case, Growth, Promise, percentile, table

SMALL = Case("small GET", "req/s", {"nginx": [100.0, 300.0, 200.0], "gate": [50.0]})


def test_median_of_the_rounds_counts() -> None:
    assert SMALL.median("nginx") == 200.0


def test_ratio_needs_both_figures() -> None:
    assert SMALL.ratio("gate", "nginx") == 0.25
    assert SMALL.ratio("gate", "envoy") is None
    assert SMALL.ratio("envoy", "nginx") is None


def test_table_leaves_out_who_is_absent() -> None:
    head, line = table("one core", ("nginx", "envoy", "gate"), [SMALL]).splitlines()
    assert head.split() == ["one", "core", "nginx", "envoy", "gate"]
    assert line.split() == ["small", "GET,", "req/s", "200", "(1.00)", "-", "50", "(0.25)"]


@pytest.mark.parametrize(
    ("figure", "at_most", "kept", "said"),
    [
        (0.5, False, True, "kept"),
        (0.49, False, False, "NOT KEPT"),
        (0.5, True, True, "kept"),
        (0.51, True, False, "NOT KEPT"),
        (None, False, None, "not measured"),
    ],
)
def test_promise_is_kept_at_its_bound(
    figure: float | None, at_most: bool, kept: bool | None, said: str
) -> None:
    promise = Promise("cost", figure, 0.5, at_most=at_most)
    assert promise.is_kept is kept
    assert promise.line().endswith(said)


def test_growth_is_what_is_left_at_the_largest_size() -> None:
    grown = Growth("routes", {10: 1000.0, 1_000: 950.0, 10_000: 900.0})
    assert grown.kept == 0.9
    assert grown.line().endswith("10: 1,000 (1.00)   1,000: 950 (0.95)   10,000: 900 (0.90)")


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentile_is_a_value_that_was_measured(part: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], part) == value
