from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.units import PerUnit, Unit, cost_of, parse_per_unit, per_unit_terms

IN, OUT = {"of": "tokens_in", "credits": 1, "units": 1000}, {"of": "tokens_out", "credits": 3}


def test_prices_of_a_call_are_added_and_rounded_up_once() -> None:
    prices = [PerUnit(Unit.TOKENS_IN, 1, 1000), PerUnit(Unit.TOKENS_OUT, 3, 1000)]
    count = {Unit.TOKENS_IN: 100, Unit.TOKENS_OUT: 300}
    assert cost_of(prices, count) == 1
    assert cost_of(prices, count | {Unit.TOKENS_OUT: 301}) == 2
    assert cost_of(prices, {}) == 0


@given(st.integers(0, 2**53), st.integers(1, 2**20), st.integers(1, 2**20))
def test_cost_is_exact_and_never_below(count: int, credits: int, units: int) -> None:  # noqa: A002
    cost = cost_of([PerUnit(Unit.BYTES, credits, units)], {Unit.BYTES: count})
    assert (cost - 1) * units < count * credits <= cost * units


def test_terms_write_out_every_default() -> None:
    assert per_unit_terms(parse_per_unit(None)) is None
    assert per_unit_terms(parse_per_unit(OUT)) == OUT | {"units": 1}
    assert per_unit_terms(parse_per_unit([IN, OUT])) == [IN, OUT | {"units": 1}]


def test_words_say_what_is_paid_for() -> None:
    words = [price.words() for price in parse_per_unit([IN, OUT])]
    assert words == ["1 for every 1,000 tokens in", "3 for every token out"]


@pytest.mark.parametrize(
    "raw",
    [
        [],
        "tokens_in",
        {"of": "tokens_in"},
        {"of": "messages", "credits": 1},
        OUT | {"credits": 0},
        OUT | {"credits": True},
        OUT | {"units": 0},
        OUT | {"each": 1},
        [OUT, OUT],
    ],
)
def test_what_cannot_be_sold_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="per_unit"):
        parse_per_unit(raw)
