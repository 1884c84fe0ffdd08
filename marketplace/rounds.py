"""Each minute: what was measured, what was saved, and some of all services once more."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from marketplace import listing, measuring
from marketplace.models import Route, Standing

PARTS_MAX = 20
"""Of usage that waits to be added up, in one round."""
AGAIN = 300
COUNTED = ["buyers", "repeat_buyers", "recent_buyers"]
RECENT = timedelta(days=measuring.DAYS)


class Bought(NamedTuple):
    """What one buyer bought: the last time in Unix seconds, and how often."""

    last_s: int = 0
    times: int = 0


BuyersOf = Callable[[Collection[str]], Mapping[str, Mapping[str, Bought]]]
"""By route and buyer. Who sold it knows."""


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
    listing.recount()
    measuring.forget(now)


def note_buyers(services: Collection[int], now: datetime, buyers_of: BuyersOf) -> None:
    routes: dict[str, int] = {
        route.identifier: route.service_id
        for route in Route.objects.filter(service__in=services).select_related("service")
    }
    since_s = (now - RECENT).timestamp()
    all_: dict[int, dict[str, Bought]] = {service: {} for service in services}
    for identifier, by_buyer in buyers_of(list(routes)).items():
        of_service = all_[routes[identifier]]
        for buyer, bought in by_buyer.items():
            known = of_service.get(buyer, Bought())
            last_s = max(bought.last_s, known.last_s)
            of_service[buyer] = Bought(last_s, bought.times + known.times)
    changed = []
    for row in Standing.objects.filter(pk__in=services).only(*COUNTED):
        buyers = all_[row.pk].values()
        recent = sum(each.last_s >= since_s for each in buyers)
        counted = len(buyers), sum(each.times > 1 for each in buyers), recent
        if counted != (row.buyers, row.repeat_buyers, row.recent_buyers):
            row.buyers, row.repeat_buyers, row.recent_buyers = counted
            changed.append(row)
    Standing.objects.bulk_update(changed, COUNTED, batch_size=500)
