"""The rows of a provider as one document, every field written out."""

from django.db.models import Prefetch

from marketplace.configuring import fields
from marketplace.domain import configurations, plans
from marketplace.domain.quotes import Json, JsonObject
from marketplace.models import Provider, Route, RouteQuote, Service

State = RouteQuote.State


def export(provider: Provider) -> JsonObject:
    kept = RouteQuote.objects.exclude(state=State.RETIRED).order_by("name", "state")
    routes = Route.objects.standing().order_by("slug").prefetch_related(Prefetch("quotes", kept))
    services = (
        Service.objects.filter(provider=provider)
        .select_related("category")
        .prefetch_related("upstreams", Prefetch("routes", routes, "standing"))
        .order_by("slug")
    )
    document: JsonObject = {
        "format": configurations.FORMAT,
        "provider": {name: getattr(provider, name) for name in fields.PROVIDER},
        "services": [_service(each) for each in services],
    }
    return document | {configurations.BASED_ON: configurations.digest(document)}


def _service(service: Service) -> JsonObject:
    routes: list[Route] = getattr(service, "standing")  # noqa: B009  named by the Prefetch
    upstreams = service.upstreams.all()
    return {
        **{name: getattr(service, name) for name in fields.service_fields()},
        "category": service.category.slug if service.category else None,
        "upstreams": [{"url": each.url, "weight": each.weight} for each in upstreams],
        "routes": [_route(each) for each in routes],
    }


def _route(route: Route) -> JsonObject:
    said: JsonObject = {name: getattr(route, name) for name in fields.ROUTE}
    return said | {"prices": [price(each) for each in route.quotes.all()]}


def price(quote: RouteQuote) -> JsonObject:
    terms: JsonObject = {name: getattr(quote, name) for name in fields.PRICE}
    limits: list[Json] = [*quote.limits]
    return terms | {
        "name": quote.name,
        "state": quote.state,
        "price": plans.show_amount(quote.amount).replace(",", ""),
        "asset": quote.asset,
        "access_seconds": quote.access_seconds,
        "meter": quote.meter,
        "limits": limits,
    }
