"""A shop's figures: percentiles of a histogram, shares, and a name for a buyer who has none."""

from collections.abc import Sequence
from fractions import Fraction

from gateway.domain.chronicle import LATENCY_MS

P95 = Fraction(95, 100)


def within_ms(latencies: Sequence[int], share: Fraction) -> int | None:
    """The bound within which `share` of the calls were answered; None: later than all of them."""
    wanted, seen = share * sum(latencies), 0
    for bound, count in zip(LATENCY_MS, latencies, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return None


def p95_words(latencies: Sequence[int]) -> str:
    if not sum(latencies):
        return "-"
    bound = within_ms(latencies, P95)
    return f"> {LATENCY_MS[-1]:,} ms" if bound is None else f"≤ {bound:,} ms"


def percent(part: int, whole: int) -> str:
    """With a digit where it is small; nothing of nothing is unknown."""
    if not whole:
        return "-"
    share = 100 * part / whole
    if part and share < 0.1:
        return "< 0.1 %"
    return f"{share:.1f} %" if share < 10 and part else f"{share:.0f} %"
