"""Which of a route's plans is its trial: a free one that ends by itself, by a quota as by time."""

from collections.abc import Iterable

from gateway.domain.limits import is_quota, parse_limits
from marketplace.models import RouteQuote


def trial_of(prices: Iterable[RouteQuote]) -> RouteQuote | None:
    """A provider enables trials by publishing such a plan; the shortest of them is handed out."""
    free = [price for price in prices if price.amount == 0 and _is_capped(price)]
    return min(free, key=lambda price: (price.access_seconds, price.pk), default=None)


def _is_capped(price: RouteQuote) -> bool:
    return any(is_quota(limit) for limit in parse_limits(price.limits))
