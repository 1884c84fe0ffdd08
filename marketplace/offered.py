"""A service that visitors may see, and what of it is on sale."""

from django.db.models import Exists, Prefetch
from django.shortcuts import get_object_or_404

from marketplace.endpoints import Sold
from marketplace.models import Route, RouteQuote, Service


def with_prices(of: Service) -> Sold:
    on_sale = RouteQuote.objects.on_sale().select_related("demand").order_by("amount", "name")
    standing = Route.objects.standing().filter(service=of).order_by("path", "pk")
    found = standing.select_related("service")
    return [
        (each, getattr(each, "on_sale"))  # noqa: B009  named by the Prefetch
        for each in found.prefetch_related(Prefetch("quotes", on_sale, "on_sale"))
    ]


def gated(slug: str, **told: Exists) -> Service:
    gated = Service.objects.gated().select_related("provider__proof", "category", "figures")
    return get_object_or_404(gated.annotate(**told), slug=slug)
