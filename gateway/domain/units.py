"""What credits are paid for beside the call itself: units of what an answer reports or weighs.

`per_unit` of a credits limit is one price, or a list of them with units of different kinds: so
that tokens in and tokens out weigh differently. The prices of a call are added, then rounded up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

INTEGER_MAX = 2**53 - 1  # What every JSON reader can hold exactly.


class Unit(StrEnum):
    BYTES = "bytes"
    TOKENS_IN = "tokens_in"
    TOKENS_OUT = "tokens_out"


WORDS = {
    Unit.BYTES: ("byte answered", "bytes answered"),
    Unit.TOKENS_IN: ("token in", "tokens in"),
    Unit.TOKENS_OUT: ("token out", "tokens out"),
}
TOKENS = frozenset({Unit.TOKENS_IN, Unit.TOKENS_OUT})


@dataclass(frozen=True, slots=True)
class PerUnit:
    """So many credits for every so many units."""

    of: Unit
    credits: int
    units: int = 1

    def terms(self) -> dict[str, object]:
        return {"of": self.of.value, "credits": self.credits, "units": self.units}

    def words(self) -> str:
        one, many = WORDS[self.of]
        return f"{self.credits:,} for every {one if self.units == 1 else f'{self.units:,} {many}'}"


def cost_of(prices: Sequence[PerUnit], count: Mapping[str, int]) -> int:
    exact = sum(
        (Fraction(count.get(price.of, 0) * price.credits, price.units) for price in prices),
        Fraction(0),
    )
    return -(-exact.numerator // exact.denominator)


def per_unit_terms(prices: Sequence[PerUnit]) -> object:
    terms = [price.terms() for price in prices]
    return None if not terms else terms[0] if len(terms) == 1 else terms


def parse_per_unit(raw: object) -> tuple[PerUnit, ...]:
    if raw is None:
        return ()
    entries = raw if isinstance(raw, list) else [raw]
    prices = tuple(_parse(entry) for entry in entries)
    if not prices or len({price.of for price in prices}) != len(prices):
        raise ValueError("per_unit names each kind of unit once.")
    return prices


def _parse(entry: object) -> PerUnit:
    if not isinstance(entry, dict) or not {"of", "credits"} <= set(entry) <= {
        "of",
        "credits",
        "units",
    }:
        raise ValueError("per_unit is {of, credits, units?}.")
    if entry["of"] not in list(Unit):
        raise ValueError(f"per_unit.of is not one of {', '.join(Unit)}.")
    return PerUnit(
        Unit(entry["of"]),
        _integer(entry["credits"], "credits"),
        _integer(entry.get("units", 1), "units"),
    )


def _integer(value: object, name: str) -> int:
    if type(value) is not int or not 1 <= value <= INTEGER_MAX:
        raise ValueError(f"per_unit.{name} is not an integer from 1 to 2^53-1.")
    return value
