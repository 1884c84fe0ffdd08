import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.chronicle import BUCKETS
from gateway.domain.limits import parse_limits
from marketplace.domain.standings import (
    Offer,
    bits,
    cheapest,
    least_per_hour,
    median_ms,
    popularity,
    price_key,
    rating_key,
    share,
)

HOUR, DAY = 3_600, 86_400
ASSETS = ["USDC", "EURC"]


def histogram(**calls: int) -> list[int]:
    counts = [0] * BUCKETS
    for bucket, count in calls.items():
        counts[int(bucket[1:])] = count
    return counts


def test_hour_costs_what_is_paid_rounded_up() -> None:
    assert Offer(2_500_000, "USDC", HOUR).per_hour == 2_500_000
    assert Offer(10, "USDC", 7 * HOUR).per_hour == 2
    assert Offer(0, "USDC", HOUR).per_hour == 0
    assert Offer(2**63, "USDC", 1).per_hour == 2**48


def test_cheapest_is_what_one_pays_to_get_in() -> None:
    hour, month, trial = (
        Offer(5, "USDC", HOUR),
        Offer(100, "USDC", 30 * DAY),
        Offer(0, "USDC", 60),
    )
    assert cheapest([month, trial, hour]) == hour
    assert cheapest([trial]) == trial
    assert cheapest([]) is None
    assert least_per_hour([hour, month, trial]) == month.per_hour


def test_assets_are_not_compared() -> None:
    dear, cheap = Offer(10**9, "USDC", HOUR), Offer(1, "EURC", HOUR)
    first, second = price_key([dear], ASSETS), price_key([cheap], ASSETS)
    assert first is not None
    assert second is not None
    assert first < second
    assert price_key([dear, cheap], ASSETS) == first
    assert price_key([Offer(1, "XLM", HOUR)], ASSETS) is None


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        ([], False),
        ([{"kind": "rate", "count": 5, "window_seconds": 1}], False),
        ([{"kind": "calls", "count": 5}], True),
    ],
)
def test_offer_is_counted_by_its_quotas(limits: list[object], counted: bool) -> None:
    assert Offer(1, "USDC", HOUR, tuple(parse_limits(limits))).is_counted is counted


def test_too_few_samples_say_nothing() -> None:
    assert share(99, 99) is None
    assert share(100, 100) == 10_000
    assert share(99_999, 100_000) == 9_999  # Never all of it.
    assert median_ms(histogram(b3=99)) is None
    assert median_ms([]) is None


def test_median_is_the_bound_that_half_are_within() -> None:
    assert median_ms(histogram(b3=50, b7=50)) == 10
    assert median_ms(histogram(b3=49, b7=51)) == 250
    assert median_ms(histogram(b14=100)) == 60_000


@given(st.integers(0, 2**40), st.integers(0, 2**62), st.integers(0, 2**40), st.integers(0, 2**62))
def test_buyers_weigh_more_than_calls(some: int, calls: int, more: int, others: int) -> None:
    first, second = popularity(some, calls), popularity(more, others)
    assert 0 <= first < 2**63
    if min(some, 2**22) < min(more, 2**22):
        assert first < second


def test_few_ratings_are_drawn_to_the_middle() -> None:
    assert rating_key(0, 0) == 0
    assert rating_key(5, 1) < rating_key(480, 100)
    assert rating_key(100_000 * 5, 100_000) <= 500


def test_each_name_is_a_bit() -> None:
    assert bits(["b", "x"], ["a", "b", "c"]) == 2
    assert bits(["a", "c"], ["a", "b", "c"]) == 5
