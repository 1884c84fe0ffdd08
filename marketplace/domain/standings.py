"""The figures that services are compared by: shares, medians, prices an hour, popularity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.domain.chronicle import LATENCY_MS
from gateway.domain.limits import Limit, is_quota

SAMPLES_MIN = 100
"""Fewer say nothing, and are said to."""
WHOLE = 10_000
PER_HOUR_MAX = 2**48
BEYOND_MS = 60_000
"""For what took longer than the histogram's last bound."""
CALLS_MAX = 2**40 - 1
BUYERS_MAX = 2**22
RATING_PRIOR, RATING_PRIOR_COUNT = 3, 5


@dataclass(frozen=True, slots=True)
class Offer:
    """One price on sale."""

    amount: int
    asset: str
    access_seconds: int
    limits: tuple[Limit, ...] = ()

    @property
    def per_hour(self) -> int:
        """Base units, rounded up."""
        return min(-(-self.amount * 3_600 // self.access_seconds), PER_HOUR_MAX)

    @property
    def is_counted(self) -> bool:
        return any(is_quota(limit) for limit in self.limits)


def cheapest(offers: Sequence[Offer]) -> Offer | None:
    """What one has to pay to get in; a free offer only where nothing costs anything."""
    paid = [offer for offer in offers if offer.amount]
    return min(paid or offers, key=lambda offer: offer.amount, default=None)


def least_per_hour(offers: Sequence[Offer]) -> int:
    return min((offer.per_hour for offer in offers if offer.amount), default=0)


def price_key(offers: Sequence[Offer], assets: Sequence[str]) -> int | None:
    """Orders by price without comparing assets: those with a price in the first one come first."""
    for place, asset in enumerate(assets):
        if priced := [offer for offer in offers if offer.asset == asset]:
            return place * 2 * PER_HOUR_MAX + least_per_hour(priced)
    return None


def share(good: int, count: int) -> int | None:
    """Of `WHOLE`, rounded down: only what never failed is all of it. None for too few."""
    return good * WHOLE // count if count >= SAMPLES_MIN else None


def median_ms(latencies: Sequence[int]) -> int | None:
    """Half of the calls were answered within it. None for too few."""
    count, seen = sum(latencies), 0
    if count < SAMPLES_MIN:
        return None
    for bound, calls in zip(LATENCY_MS, latencies, strict=False):
        seen += calls
        if 2 * seen >= count:
            return bound
    return BEYOND_MS


def popularity(recent_buyers: int, calls: int) -> int:
    """Who paid counts before what was called: calls are free to make."""
    return min(recent_buyers, BUYERS_MAX) * (CALLS_MAX + 1) + min(calls, CALLS_MAX)


def rating_key(ratings_sum: int, count: int) -> int:
    """The mean in hundredths, as if a few more had given the middle; 0 where nobody has."""
    if not count:
        return 0
    weighed = ratings_sum + RATING_PRIOR * RATING_PRIOR_COUNT
    return 100 * weighed // (count + RATING_PRIOR_COUNT)


def bits(chosen: Iterable[str], known: Sequence[str]) -> int:
    wanted = set(chosen)
    return sum(1 << place for place, name in enumerate(known) if name in wanted)
