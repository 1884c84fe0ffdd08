"""Who bought what, for the catalogue. Free grants have no buyer: anybody can make more."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db.models import Count, Max

from billing.domain.purchases import State
from billing.models import Purchase
from marketplace.rounds import Bought


def buyers_of(routes: Collection[str]) -> Mapping[str, Mapping[str, Bought]]:
    """By route and buyer."""
    bought = Purchase.objects.filter(route__in=routes, state=State.GRANTED, amount__gt=0)
    each = bought.order_by().values("route", "buyer")
    found: dict[str, dict[str, Bought]] = defaultdict(dict)
    for row in each.annotate(last_s=Max("created_at_s"), times=Count("pk")):
        found[row["route"]][row["buyer"]] = Bought(row["last_s"], row["times"])
    return found
