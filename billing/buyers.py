"""Who bought what, for the catalogue. Free grants have no buyer: anybody can make more."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db.models import Max

from billing.domain.purchases import State
from billing.models import Purchase


def buyers_of(routes: Collection[str]) -> Mapping[str, Mapping[str, int]]:
    """By route and buyer, when that buyer bought it last."""
    bought = Purchase.objects.filter(route__in=routes, state=State.GRANTED, amount__gt=0)
    last = bought.order_by().values("route", "buyer").annotate(last_s=Max("created_at_s"))
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in last:
        found[row["route"]][row["buyer"]] = row["last_s"]
    return found
