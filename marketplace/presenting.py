"""The pages of one service: what it is and costs, its reference, and the same for machines."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from marketplace import describing, importing, looking, openapi
from marketplace.belonging import gated_for
from marketplace.changes import changes
from marketplace.demand import popular
from marketplace.endpoints import Endpoint, Sold, endpoints
from marketplace.indexing import linked_data
from marketplace.models import Service
from marketplace.offered import gated, with_prices
from marketplace.records import record
from marketplace.reviewing import first_page
from marketplace.showing import explorer_of, gate_address, route_plans
from marketplace.sitemaps import kept_from_robots
from marketplace.trying.offering import trial_of

ENDPOINTS_SHOWN = 60
"""On the service's own page; the reference has all of them."""
REVIEWS_SHOWN = 5
REFERENCE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'"
)
"""The reference writes its own style elements. Scripts are ours alone there, too."""


@dataclass(frozen=True, slots=True)
class Row:
    """An endpoint as the page prints it."""

    key: str
    method: str
    path: str
    summary: str
    tag: str
    streams: bool
    deprecated: bool
    route_url: str
    route_name: str
    below: bool


def service(request: HttpRequest, slug: str) -> HttpResponse:
    found = gated_for(request.user, slug)
    now = timezone.now()
    sold = with_prices(found)
    document = importing.current(found)
    callable_ = endpoints(sold, document)
    rating, newest = first_page(found)
    told = changes(found)
    favourite = popular(price for _, prices in sold for price in prices)
    routes = [route_plans(found, each, prices, favourite) for each, prices in sold]
    context = {
        "service": found,
        "withdrawn": not found.sells,
        "description": describing.html(found.description),
        "about": describing.html(found.provider.about),
        "routes": routes,
        "priced": [route for route in routes if route.plans],
        "cheapest": _cheapest(sold),
        "has_trial": any(trial_of(prices) for _, prices in sold),
        "address": gate_address(found),
        "document": document,
        "endpoints": [row_of(found, each) for each in callable_[:ENDPOINTS_SHOWN]],
        "endpoint_count": len(callable_),
        "snippets": routes[0].snippets if routes else (),
        "record": record(found, now),
        "rating": rating,
        "reviews": newest[:REVIEWS_SHOWN],
        "more_reviews": len(newest) > REVIEWS_SHOWN,
        "changes": told,
        "incidents": [each for each in told if each.is_open],
        "canonical": settings.ORIGIN + request.path,
        "payments": explorer_of(found.provider.payout_address),
        "linked_data": linked_data(found, routes, request.path),
    }
    response = render(request, "marketplace/service.html", context)
    if looking.is_a_person(request):
        looking.looks.note(found, now)
    return kept_from_robots(response, found)


def reference(request: HttpRequest, slug: str) -> HttpResponse:
    """Its script is large, so it has a page of its own."""
    found = gated(slug)
    response = render(request, "marketplace/reference.html", {"service": found})
    response.headers["Content-Security-Policy"] = REFERENCE_POLICY
    return kept_from_robots(response, found)


def service_openapi(_request: HttpRequest, slug: str) -> JsonResponse:
    found = gated(slug)
    document = openapi.document(found, with_prices(found), importing.current(found))
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
    return JsonResponse(document, headers=headers)


def _cheapest(sold: Sold) -> str:
    """Where the buy button leads: to the only route, or to the plans."""
    priced = [route for route, prices in sold if prices]
    if len(priced) != 1:
        return "#plans" if priced else ""
    return reverse("marketplace:route", args=[priced[0].service.slug, priced[0].slug])


def row_of(of: Service, endpoint: Endpoint) -> Row:
    operation = endpoint.operation
    return Row(
        key=operation.key,
        method=operation.method,
        path=operation.path if endpoint.described else endpoint.route.path,
        summary=operation.summary or operation.description.partition("\n")[0][:140],
        tag=operation.tag,
        streams=operation.streams,
        deprecated=operation.deprecated,
        route_url=reverse("marketplace:route", args=[of.slug, endpoint.route.slug]),
        route_name=endpoint.route.name,
        below=not endpoint.described,
    )
