"""A page of grants as its template prints them, in a bounded number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q

from billing.account import metering
from billing.account.metering import Meters
from billing.account.viewing import ACTIVE, OVER, WAITING
from billing.domain.burning import Used
from billing.models import Purchase
from gateway.ledgers import reading
from gateway.ledgers.reading import GrantUsage
from marketplace.domain import plans
from marketplace.models import Route

NOTHING = Meters((), ())


@dataclass(frozen=True, slots=True)
class Card:
    """One grant. `left` is how long it still runs, in words; empty where it is over."""

    id: str
    service: str
    service_slug: str
    route: str
    route_name: str
    plan: str
    price: str
    asset: str
    standing: str
    revoked: bool
    bought_at: datetime
    first_used_at: datetime | None
    ends_at: datetime
    left: str
    lasts: str
    meters: Meters

    @property
    def is_active(self) -> bool:
        return self.standing == ACTIVE

    @property
    def is_waiting(self) -> bool:
        return self.standing == WAITING

    @property
    def is_over(self) -> bool:
        return self.standing == OVER

    @property
    def is_used_up(self) -> bool:
        return any(bar.level == "full" and bar.renews_at is None for bar in self.meters.bars)


def cards(purchases: Sequence[Purchase], *, now_s: float) -> list[Card]:
    """`purchases` are of viewing.grants: annotated."""
    ids = [purchase.pk for purchase in purchases]
    usages = reading.usages_of(ids, now_s)
    lately = metering.used_lately(ids, now_s=now_s)
    names = _names(purchase.route for purchase in purchases)
    return [
        _card(
            purchase,
            usages.get(purchase.pk),
            lately.get(purchase.pk, Used()),
            names.get(purchase.route),
            now_s,
        )
        for purchase in purchases
    ]


def card(purchase: Purchase, lately: Used, route: Route | None, *, now_s: float) -> Card:
    """One, of which its page knows the rest already."""
    return _card(purchase, reading.usage_of(purchase.pk, now_s), lately, route, now_s)


def _card(
    purchase: Purchase,
    usage: GrantUsage | None,
    used: Used,
    route: Route | None,
    now_s: float,
) -> Card:
    slug, _, route_slug = purchase.route.partition("/")
    ends_at_s = float(getattr(purchase, "ends_at") or 0)  # noqa: B009  annotated
    standing = str(getattr(purchase, "standing"))  # noqa: B009
    first = None if usage is None else usage.first_used_at_s
    shown = NOTHING
    if usage is not None:
        began_s = first or purchase.paid_at_s or purchase.created_at_s
        shown = metering.meters(usage, used, began_s=began_s, now_s=now_s)
    return Card(
        id=purchase.pk,
        service=route.service.name if route else slug,
        service_slug=slug if route else "",
        route=purchase.route,
        route_name=route.name if route else route_slug,
        plan=str(purchase.quote["name"]),
        price=plans.show_amount(purchase.amount),
        asset=purchase.asset_code if purchase.amount else "",
        standing=standing,
        revoked=bool(getattr(purchase, "revoked")),  # noqa: B009
        bought_at=_moment(purchase.paid_at_s or purchase.created_at_s),
        first_used_at=None if first is None else _moment(first),
        ends_at=_moment(ends_at_s),
        left="" if standing == OVER else metering.time_words(ends_at_s - now_s),
        lasts=plans.show_duration(int(purchase.quote["access_seconds"])),
        meters=shown,
    )


def _names(route_ids: Iterable[str]) -> dict[str, Route]:
    wanted = Q(pk__in=[])
    for route_id in set(route_ids):
        slug, _, route_slug = route_id.partition("/")
        wanted |= Q(service__slug=slug, slug=route_slug)
    found = Route.objects.filter(wanted).select_related("service")
    return {route.identifier: route for route in found}


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
