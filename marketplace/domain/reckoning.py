"""What a histogram of latencies and a row of days say, where there is enough of them."""

from collections.abc import Hashable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from gateway.domain.chronicle import LATENCY_MS
from marketplace.domain.standings import BEYOND_MS, SAMPLES_MIN

GOOD, FAIR = 9_990, 9_500
"""Of 10,000 probes that were answered on a day."""
SALES_MIN = 10
SALES_SHARE = 3
"""A plan is popular that sells one in so many, and more than any other."""
Key = TypeVar("Key", bound=Hashable)


class Health(StrEnum):
    UP = "up"
    PARTLY = "partly"
    DOWN = "down"
    UNKNOWN = "unknown"


def within_ms(latencies: Sequence[int], percent: int) -> int | None:
    """So many of a hundred calls were answered within it; the bucket's upper bound."""
    count, seen = sum(latencies), 0
    if count < SAMPLES_MIN:
        return None
    for bound, calls in zip(LATENCY_MS, latencies, strict=False):
        seen += calls
        if 100 * seen >= percent * count:
            return bound
    return BEYOND_MS


def health(answered: int, probes: int) -> Health:
    """Of one day, however few probes it had."""
    if not probes:
        return Health.UNKNOWN
    share = answered * 10_000 // probes
    return Health.UP if share >= GOOD else Health.PARTLY if share >= FAIR else Health.DOWN


def popular(sold: Mapping[Key, int]) -> Key | None:
    """The plan that most buyers take, if sales say so at all."""
    if not sold:
        return None
    first, *others = sorted(sold.items(), key=lambda each: -each[1])
    most, total = first[1], sum(sold.values())
    is_first = all(count < most for _, count in others) and len(others) > 0
    return first[0] if is_first and most >= SALES_MIN and most * SALES_SHARE >= total else None
