"""What keeps a route as it is: grants that run on it, and signed quotes that may still be paid.

Whoever bought access to `weather/forecast` must find it there until the grant ends. So such a route
is not deleted, not renamed and not narrowed; it may be widened, and its prices may change.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Max

from gateway.models import GrantLedger
from marketplace.domain.plans import counted
from marketplace.models import Quote, Route


@dataclass(frozen=True, slots=True)
class Hold:
    grants: int
    quotes: int
    until_s: int

    def words(self) -> str:
        kinds = [(self.grants, "grant"), (self.quotes, "signed quote")]
        held = " and ".join(counted(count, noun) for count, noun in kinds if count)
        verb = "is" if self.grants + self.quotes == 1 else "are"
        until = datetime.fromtimestamp(self.until_s, UTC)
        return f"{held} {verb} valid until {until:%d %B %Y, %H:%M} UTC"


def hold(routes: Collection[Route], now_s: float) -> Hold | None:
    names = [route.identifier for route in routes]
    grants = GrantLedger.objects.filter(route__in=names, expires_at__gt=now_s).aggregate(
        count=Count("pk"), until=Max("expires_at")
    )
    quotes = Quote.objects.filter(
        route_quote__route__in=routes, expires_at__gt=int(now_s)
    ).aggregate(count=Count("pk"), until=Max("expires_at"))
    if not grants["count"] and not quotes["count"]:
        return None
    until_s = max(grants["until"] or 0, quotes["until"] or 0)
    return Hold(grants["count"], quotes["count"], until_s)
