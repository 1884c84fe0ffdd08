"""A price in words: amounts, durations and what a limit means, as people read and type them.

Base units and seconds everywhere else; decimals exist only here. Computed prices are rounded up:
a buyer must never read less than what is paid.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from gateway.domain.limits import Calls, Credits, Data, Limit, is_quota
from gateway.domain.rates import Bandwidth
from marketplace.domain.chains import DECIMALS
from marketplace.domain.quotes import AMOUNT_MAX

UNIT = 10**DECIMALS
DURATIONS = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 604_800,
}
SIZES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]+)?")


class AmountError(ValueError):
    """Not an amount that can be charged; the message is for the person who typed it."""


def parse_amount(text: str) -> int:
    """Base units of an amount such as 2.5."""
    if AMOUNT.fullmatch(text) is None:
        raise AmountError("Write the amount in digits with a point, such as 2.5.")
    amount = Fraction(text) * UNIT
    if amount.denominator != 1:
        raise AmountError(f"The smallest part of an asset is {DECIMALS} digits after the point.")
    if amount > AMOUNT_MAX:
        raise AmountError(f"The largest amount is {show_amount(AMOUNT_MAX)}.")
    return int(amount)


def show_amount(amount: int) -> str:
    """2500000 → 0.25, 20000000 → 2.00. Exact."""
    whole, part = divmod(amount, UNIT)
    digits = f"{part:0{DECIMALS}d}".rstrip("0").ljust(2, "0")
    return f"{whole:,}.{digits}"


def show_rate(rate: Fraction) -> str:
    """A computed price, rounded up to three significant digits (or to cents above 1)."""
    if rate == 0:
        return "0.00"
    exact = Decimal(rate.numerator) / Decimal(rate.denominator)
    step = Decimal("0.01") if exact >= 1 else Decimal(1).scaleb(exact.adjusted() - 2)
    rounded = exact.quantize(step, rounding=ROUND_CEILING)
    whole, _, part = f"{rounded:,f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def per_hour(amount: int, access_seconds: int) -> str:
    return show_rate(Fraction(amount * 3_600, UNIT * access_seconds))


def per_thousand_calls(amount: int, access_seconds: int, limits: Sequence[Limit]) -> str | None:
    """What a thousand calls cost if all that are sold are made; None where none are counted."""
    calls = [_calls_sold(limit, access_seconds) for limit in limits if isinstance(limit, Calls)]
    return show_rate(Fraction(amount * 1_000, UNIT * min(calls))) if calls else None


def _calls_sold(limit: Calls, access_seconds: int) -> int:
    if limit.window_seconds is None:
        return limit.count
    return limit.count * -(-access_seconds // limit.window_seconds)


def show_duration(seconds: int) -> str:
    """Exact: 3600 → 1 hour, 90000 → 1 day 1 hour."""
    if seconds % DURATIONS["week"] == 0 and seconds % (30 * DURATIONS["day"]):
        return counted(seconds // DURATIONS["week"], "week")
    parts = []
    for unit in ("day", "hour", "minute", "second"):
        count, seconds = divmod(seconds, DURATIONS[unit])
        if count:
            parts.append(counted(count, unit))
    return " ".join(parts)


def split_duration(seconds: int) -> tuple[int, str]:
    """The largest unit that says it exactly: 7200 → (2, hour)."""
    units = sorted(DURATIONS.items(), key=lambda unit: -unit[1])
    return next((seconds // size, unit) for unit, size in units if seconds % size == 0)


def split_size(size: int) -> tuple[int, str]:
    """As `split_duration`; what is no whole number of kB stays in bytes."""
    units = sorted(SIZES.items(), key=lambda unit: -unit[1])
    return next(((size // unit, name) for name, unit in units if size % unit == 0), (size, "bytes"))


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def at_the_limit(limit: Limit) -> str:
    """What a client sees when this limit is used up."""
    if isinstance(limit, Bandwidth):
        return "slowed down to it, never refused"
    if not is_quota(limit):
        return "429 until there is room again"
    renews = limit.window_seconds is not None
    refusal = "429 until it renews" if renews else "402 until you buy again"
    if isinstance(limit, Credits) and limit.per_unit:
        return f"a running answer is cut, {refusal}"
    return f"the body is cut at the last byte, {refusal}" if isinstance(limit, Data) else refusal
