"""Each minute: what was measured, what was saved, and some of all services once more."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from marketplace import listing, measuring
from marketplace.models import Route, Standing

PARTS_MAX = 20
"""Of usage that waits to be added up, in one round."""
AGAIN = 300
RECENT = timedelta(days=measuring.DAYS)

BuyersOf = Callable[[Collection[str]], Mapping[str, Mapping[str, int]]]
"""By route and buyer: when that buyer bought it last, in Unix seconds. Who sold it knows."""


def go_round(now: datetime, buyers_of: BuyersOf) -> None:
    services = {*listing.stalest(AGAIN)}
    for _ in range(PARTS_MAX):
        used = measuring.add_up(now)
        if used is None:
            break
        services |= used
    listing.catch_up(now)
    note_buyers(services, now, buyers_of)
    listing.refresh(services, now)
    measuring.forget(now)


def note_buyers(services: Collection[int], now: datetime, buyers_of: BuyersOf) -> None:
    routes: dict[str, int] = {
        route.identifier: route.service_id
        for route in Route.objects.filter(service__in=services).select_related("service")
    }
    since_s = (now - RECENT).timestamp()
    last: dict[int, dict[str, int]] = {service: {} for service in services}
    for identifier, bought in buyers_of(list(routes)).items():
        of_service = last[routes[identifier]]
        for buyer, at_s in bought.items():
            of_service[buyer] = max(at_s, of_service.get(buyer, 0))
    rows = Standing.objects.filter(pk__in=services).only("buyers", "recent_buyers")
    changed = []
    for row in rows:
        moments = last[row.pk].values()
        counted = len(moments), sum(at_s >= since_s for at_s in moments)
        if counted != (row.buyers, row.recent_buyers):
            row.buyers, row.recent_buyers = counted
            changed.append(row)
    Standing.objects.bulk_update(changed, ["buyers", "recent_buyers"], batch_size=500)
