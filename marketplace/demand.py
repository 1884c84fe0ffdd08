"""Keeps how often each plan on sale was bought, and says which of them is popular."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import transaction

from marketplace.domain import reckoning
from marketplace.models import PlanDemand, Quote, RouteQuote

AT_ONCE = 500


def note(sold: Mapping[str, int]) -> None:
    """`sold` has the digests of signed quotes and how often each was paid for."""
    counts: dict[tuple[int, str], int] = defaultdict(int)
    digests = list(sold)
    for begin in range(0, len(digests), AT_ONCE):
        some = Quote.objects.filter(digest__in=digests[begin : begin + AT_ONCE])
        rows = some.values_list("digest", "route_quote__route", "route_quote__name")
        for digest, route, name in rows:
            counts[route, name] += sold[digest]
    routes = {route for route, _ in counts}
    on_sale = RouteQuote.objects.on_sale().filter(route__in=routes, amount__gt=0)
    made = [
        PlanDemand(price=price, sold=counts[price.route_id, price.name])
        for price in on_sale
        if (price.route_id, price.name) in counts
    ]
    with transaction.atomic():
        PlanDemand.objects.all().delete()
        PlanDemand.objects.bulk_create(made, batch_size=AT_ONCE)


def popular(prices: Iterable[RouteQuote]) -> int | None:
    """Of those of one service on sale. They have `demand` joined."""
    counts = {price.pk: price.demand.sold for price in prices if hasattr(price, "demand")}
    return reckoning.popular(counts)
