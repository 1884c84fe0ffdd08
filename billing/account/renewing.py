"""Buying the same again. A renewal is a new grant beside the old one: neither is added to the
other, each has its own limits, its own time and its own token, and both work until they end.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When

from billing.models import Purchase
from billing.pages import addresses
from marketplace.domain import plans
from marketplace.models import RouteQuote


@dataclass(frozen=True, slots=True)
class Renewal:
    """The plan as it is sold now; `changed` where that is not what was bought."""

    address: str  # Of its checkout.
    price: str
    asset: str
    lasts: str
    changed: bool


def newest_of_plan(purchase: Purchase) -> RouteQuote | None:
    """Of all versions under this name the one on sale, or the last; with its route and service."""
    slug, _, route_slug = purchase.route.partition("/")
    named = RouteQuote.objects.filter(
        name=purchase.quote["name"], route__service__slug=slug, route__slug=route_slug
    )
    on_sale = When(state=RouteQuote.State.PUBLISHED, then=Value(0))
    first = Case(on_sale, default=Value(1), output_field=IntegerField())
    return named.select_related("route__service").order_by(first, "-version").first()


def renewal(purchase: Purchase, plan: RouteQuote | None) -> Renewal | None:
    """None where it is not sold any more."""
    if plan is None or plan.state != RouteQuote.State.PUBLISHED or not plan.route.sells:
        return None
    if plan.asset not in settings.CHAIN.assets:
        return None
    return Renewal(
        address=addresses.checkout(purchase.route, plan.name),
        price=plans.show_amount(plan.amount),
        asset=plan.asset if plan.amount else "",
        lasts=plans.show_duration(plan.access_seconds),
        changed=not _is_same(plan, purchase),
    )


def _is_same(plan: RouteQuote, purchase: Purchase) -> bool:
    quote = purchase.quote
    if (plan.amount, plan.asset) != (purchase.amount, purchase.asset_code):
        return False
    return (plan.access_seconds, plan.limits) == (quote["access_seconds"], quote["limits"])
