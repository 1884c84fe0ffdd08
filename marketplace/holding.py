"""What keeps a route as it is: grants that run on it, and signed quotes that may still become one.

Whoever bought access to `weather/forecast` must find it there until the grant ends. So such a route
is not deleted, not renamed and not narrowed, neither by itself nor by a route put in front of it;
it may be widened, and its prices may change.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Count, Max

from gateway.models import GrantLedger
from marketplace import publishing
from marketplace.domain.coverage import Claim, loses
from marketplace.domain.plans import counted
from marketplace.models import Quote, Route, RouteQuote, Service

# A quote may be paid in its last second, and its grant may wait for a network that is away.
SETTLING_SECONDS = 900


class Held(ValueError):
    """The change would take away what was sold; the message says until when."""


@dataclass(frozen=True, slots=True)
class Hold:
    grants: int
    quotes: int
    until_s: int

    def words(self) -> str:
        kinds = [(self.grants, "running grant"), (self.quotes, "signed quote")]
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
        route_quote__route__in=routes, expires_at__gt=int(now_s) - SETTLING_SECONDS
    ).aggregate(count=Count("pk"), until=Max("expires_at") + SETTLING_SECONDS)
    if not grants["count"] and not quotes["count"]:
        return None
    until_s = max(grants["until"] or 0, quotes["until"] or 0)
    return Hold(grants["count"], quotes["count"], until_s)


def claims_of(service: Service) -> dict[int, Claim]:
    standing = Route.objects.standing().filter(service=service).order_by("pk")
    return {route.pk: Claim.of(route.path, route.methods) for route in standing}


def check_claims(service: Service, after: Mapping[int, Claim], now_s: float) -> None:
    """Raise `Held` where the new division of paths takes a request from a route that is held."""
    before = claims_of(service)
    standing = Route.objects.standing().filter(service=service).select_related("service")
    for route in standing:
        lost = loses(before, after, route.pk)
        if lost and (held := hold([route], now_s)):
            raise Held(f"{route} would no longer answer {lost}, and {held.words()}.")


def check_names(routes: Collection[Route], now_s: float) -> None:
    """Raise `Held` unless these routes may change what they are called."""
    if routes and (held := hold(routes, now_s)):
        raise Held(f"This cannot be renamed: {held.words()}.")


def remove(route: Route, now: datetime) -> None:
    """Take a route out. What was once on sale stays as a record, out of everybody's way."""
    with transaction.atomic():
        locked = Route.objects.select_for_update().get(pk=route.pk)
        if held := hold([locked], now.timestamp()):
            raise Held(f"{locked} cannot be deleted: {held.words()}.")
        prices = RouteQuote.objects.filter(route=locked)
        prices.filter(state=RouteQuote.State.DRAFT).delete()
        prices.filter(state=RouteQuote.State.PUBLISHED).update(
            state=RouteQuote.State.RETIRED, retired_at=now
        )
        if prices.exists():
            Route.objects.filter(pk=locked.pk).update(removed_at=now)
        else:
            locked.delete()
        publishing.publish([route.service_id])
