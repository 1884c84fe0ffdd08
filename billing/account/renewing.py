"""Buying the same again, or another plan of the route. Either is a new grant beside the old one:
neither is added to the other, each has its own limits, its own time and its own token, and both
work until they end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.db.models import Case, IntegerField, Q, Value, When

from billing.models import Purchase
from billing.pages import addresses
from gateway.domain.limits import parse_limits
from marketplace.domain import plans
from marketplace.models import RouteQuote, Service
from marketplace.showing import gate_address

OTHERS_MAX = 6
VERSIONS_MAX = 40


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
    call: str  # What a program calls, that is to buy it again; none where it is told no prices.

    @property
    def budget(self) -> str:
        return f"{self.asset}:{self.price.replace(',', '')}"


def versions(purchase: Purchase) -> list[RouteQuote]:
    """What is on sale of its route, and all that was sold under its plan's name, the newest first;
    with their route and service."""
    slug, _, route_slug = purchase.route.partition("/")
    of_route = RouteQuote.objects.filter(route__service__slug=slug, route__slug=route_slug)
    on_sale = Q(state=RouteQuote.State.PUBLISHED)
    found = of_route.filter(on_sale | Q(name=purchase.quote["name"]))
    first = Case(When(on_sale, then=Value(0)), default=Value(1), output_field=IntegerField())
    whole = found.select_related("route__service__provider")
    return list(whole.order_by(first, "-version")[:VERSIONS_MAX])


def newest_of_plan(purchase: Purchase, among: Sequence[RouteQuote]) -> RouteQuote | None:
    """Of all versions under this name the one on sale, or the last."""
    return next((each for each in among if each.name == purchase.quote["name"]), None)


def renewal(purchase: Purchase, plan: RouteQuote | None) -> Renewal | None:
    """None where it is not sold any more."""
    return None if plan is None or not _is_sold(plan) else _offer(plan, purchase)


def others(purchase: Purchase, among: Sequence[RouteQuote]) -> list[Renewal]:
    """What else is sold of the route. What was bought is not exchanged for it: it runs on."""
    name = purchase.quote["name"]
    sold = (each for each in among if each.name != name and each.amount and _is_sold(each))
    ordered = sorted(sold, key=lambda each: (each.amount, each.name))
    return [_offer(each, purchase) for each in ordered[:OTHERS_MAX]]


def _is_sold(plan: RouteQuote) -> bool:
    is_on_sale = plan.state == RouteQuote.State.PUBLISHED and plan.route.sells
    return is_on_sale and plan.asset in settings.CHAIN.assets


def _offer(plan: RouteQuote, purchase: Purchase) -> Renewal:
    service, path = plan.route.service, quote(plan.route.path, safe="/%")
    is_for_members = service.visibility == Service.Visibility.MEMBERS
    return Renewal(
        address=addresses.checkout(purchase.route, plan.name),
        price=plans.show_amount(plan.amount),
        asset=plan.asset if plan.amount else "",
        lasts=plans.show_duration(plan.access_seconds),
        changed=not _is_same(plan, purchase),
        name=plan.name,
        limits=tuple(limit.words() for limit in parse_limits(plan.limits)),
        call="" if is_for_members else f"{gate_address(service)}{path}",
    )


def _is_same(plan: RouteQuote, purchase: Purchase) -> bool:
    bought = purchase.quote
    if (plan.amount, plan.asset) != (purchase.amount, purchase.asset_code):
        return False
    return (plan.access_seconds, plan.limits) == (bought["access_seconds"], bought["limits"])
