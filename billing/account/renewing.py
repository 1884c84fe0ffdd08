"""Buying the same again, or another plan of the route. Either is a new grant beside the old one:
neither is added to the other, each has its own limits, its own time and its own token, and both
work until they end.
"""

from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When

from billing.models import Purchase
from billing.pages import addresses
from gateway.domain.limits import parse_limits
from marketplace.domain import plans
from marketplace.models import RouteQuote
from marketplace.showing import gate_address

OTHERS_MAX = 6


@dataclass(frozen=True, slots=True)
class Renewal:
    """The plan as it is sold now; `changed` where that is not what was bought."""

    address: str  # Of its checkout.
    price: str
    asset: str
    lasts: str
    changed: bool
    name: str
    limits: tuple[str, ...]
    call: str  # What a program calls, that is to buy it again where it has to.

    @property
    def budget(self) -> str:
        return f"{self.asset}:{self.price.replace(',', '')}"


def newest_of_plan(purchase: Purchase) -> RouteQuote | None:
    """Of all versions under this name the one on sale, or the last; with its route and service."""
    slug, _, route_slug = purchase.route.partition("/")
    named = RouteQuote.objects.filter(
        name=purchase.quote["name"], route__service__slug=slug, route__slug=route_slug
    )
    on_sale = When(state=RouteQuote.State.PUBLISHED, then=Value(0))
    first = Case(on_sale, default=Value(1), output_field=IntegerField())
    known = named.select_related("route__service__provider")
    return known.order_by(first, "-version").first()


def renewal(purchase: Purchase, plan: RouteQuote | None) -> Renewal | None:
    """None where it is not sold any more."""
    if plan is None or plan.state != RouteQuote.State.PUBLISHED or not plan.route.sells:
        return None
    if plan.asset not in settings.CHAIN.assets:
        return None
    return _offer(plan, purchase)


def others(purchase: Purchase, plan: RouteQuote | None) -> list[Renewal]:
    """What else is sold of the route. What was bought is not exchanged for it: it runs on."""
    if plan is None:
        return []
    sold = RouteQuote.objects.on_sale().filter(route=plan.route_id, amount__gt=0)
    rest = sold.exclude(name=plan.name).select_related("route__service").order_by("amount", "name")
    return [_offer(each, purchase) for each in rest[:OTHERS_MAX]]


def _offer(plan: RouteQuote, purchase: Purchase) -> Renewal:
    return Renewal(
        address=addresses.checkout(purchase.route, plan.name),
        price=plans.show_amount(plan.amount),
        asset=plan.asset if plan.amount else "",
        lasts=plans.show_duration(plan.access_seconds),
        changed=not _is_same(plan, purchase),
        name=plan.name,
        limits=tuple(limit.words() for limit in parse_limits(plan.limits)),
        call=f"{gate_address(plan.route.service)}{quote(plan.route.path, safe='/%')}",
    )


def _is_same(plan: RouteQuote, purchase: Purchase) -> bool:
    bought = purchase.quote
    if (plan.amount, plan.asset) != (purchase.amount, purchase.asset_code):
        return False
    return (plan.access_seconds, plan.limits) == (bought["access_seconds"], bought["limits"])
