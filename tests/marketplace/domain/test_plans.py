from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.limits import parse_limits
from marketplace.domain import plans


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("2.5", 25_000_000),
        ("0.25", 2_500_000),
        ("0.0000001", 1),
        ("00.10", 1_000_000),
        ("2.50000000000", 25_000_000),
        ("922337203685.4775807", 2**63 - 1),
    ],
)
def test_amount_is_read_in_units_of_the_asset(text: str, amount: int) -> None:
    assert plans.parse_amount(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "-1",
        "+1",
        "1,5",
        "1e3",
        "0.00000001",
        ".5",
        "5.",
        "NaN",
        "922337203685.4775808",
        "٣",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(plans.AmountError):
        plans.parse_amount(text)


@given(st.integers(0, 2**63 - 1))
def test_shown_amount_is_exact(amount: int) -> None:
    assert plans.parse_amount(plans.show_amount(amount).replace(",", "")) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (2_500_000, "0.25"),
        (20_000_000, "2.00"),
        (1, "0.0000001"),
        (10**11, "10,000.00"),
    ],
)
def test_amount_is_shown_with_cents_at_least(amount: int, text: str) -> None:
    assert plans.show_amount(amount) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Fraction(0), "0.00"),
        (Fraction(1, 4), "0.25"),
        (Fraction(1, 3), "0.334"),
        (Fraction(1, 3000), "0.000334"),
        (Fraction(5, 2), "2.50"),
        (Fraction(10, 3), "3.34"),
        (Fraction(9999, 10_000), "1.00"),
        (Fraction(123_456_789, 100), "1,234,567.89"),
    ],
)
def test_computed_price_is_rounded_up(rate: Fraction, text: str) -> None:
    assert plans.show_rate(rate) == text


@given(st.fractions(min_value=0, max_value=10**12))
def test_computed_price_never_reads_less_than_is_paid(rate: Fraction) -> None:
    assert Fraction(plans.show_rate(rate).replace(",", "")) >= rate


def test_price_per_thousand_calls_counts_the_calls_that_can_be_made() -> None:
    def price(*limits: dict[str, object]) -> str | None:
        return plans.per_thousand_calls(10_000_000, 86_400, parse_limits(list(limits)))

    assert price() is None
    assert price({"kind": "data", "direction": "down", "bytes": 5}) is None
    assert price({"kind": "calls", "count": 2_000}) == "0.50"
    hourly = {"kind": "calls", "count": 100, "window_seconds": 3_600}
    assert price(hourly) == "0.417"
    assert price(hourly, {"kind": "calls", "count": 100}) == "10.00"


def test_price_per_hour_is_that_of_the_whole_pass() -> None:
    assert plans.per_hour(24_000_000, 86_400) == "0.10"
    assert plans.per_hour(1, 2**53 - 1) == "0.00000000000000000004"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (3_600, "1 hour"),
        (5_400, "1 hour 30 minutes"),
        (86_400, "1 day"),
        (604_800, "1 week"),
        (1_209_600, "2 weeks"),
        (30 * 86_400, "30 days"),
        (210 * 86_400, "210 days"),
        (90_061, "1 day 1 hour 1 minute 1 second"),
    ],
)
def test_duration_in_words_is_exact(seconds: int, text: str) -> None:
    assert plans.show_duration(seconds) == text


@given(st.integers(1, 2**53))
def test_split_values_multiply_back(value: int) -> None:
    count, unit = plans.split_duration(value)
    assert count * plans.DURATIONS[unit] == value
    count, unit = plans.split_size(value)
    assert count * {"bytes": 1, **plans.SIZES}[unit] == value


def test_what_happens_at_a_limit_is_said() -> None:
    calls, data, renewing = parse_limits(
        [
            {"kind": "calls", "count": 1},
            {"kind": "data", "direction": "down", "bytes": 1},
            {"kind": "calls", "count": 1, "window_seconds": 60},
        ]
    )
    assert plans.at_the_limit(calls) == "402 until you buy again"
    assert plans.at_the_limit(renewing) == "429 until it renews"
    assert plans.at_the_limit(data) == "the body is cut at the last byte, 402 until you buy again"
