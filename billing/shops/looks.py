"""How often services were looked at, added to the days that a shop's figures are read from."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F

from billing.models import RouteDay
from marketplace.looking import Looked


@transaction.atomic
def write(counts: Mapping[Looked, int]) -> None:
    """In order, as `summing` has it, so that no two wait for each other."""
    for (provider, slug, day), count in sorted(counts.items()):
        # Of the service, and of none of its routes.
        row = {"provider": provider, "route": f"{slug}/", "day": day}
        RouteDay.objects.bulk_create([RouteDay(**row)], ignore_conflicts=True)
        RouteDay.objects.filter(**row).update(views=F("views") + count)
