"""The public pages beside the catalogue: purchase, problems, llms.txt. No script is needed."""

import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from marketplace import explaining, guarding, quoting
from marketplace.context import site
from marketplace.domain import plans
from marketplace.models import Route, RouteQuote, Service, Standing
from marketplace.showing import plan, route_plans
from marketplace.sitemaps import kept_from_robots

LLMS_SERVICES_MAX = 100
MEMBERS = Service.Visibility.MEMBERS


def route(request: HttpRequest, slug: str, route_slug: str) -> HttpResponse:
    context = _purchase(f"{slug}/{route_slug}", now_s=time.time(), to_members=True)
    if context is None:
        raise Http404
    response = render(request, "marketplace/route.html", context)
    return kept_from_robots(response, context["service"])


def purchase_page(route_id: str, origin: str, asked: str = "") -> bytes | None:
    """The page that a browser gets with the 402; links lead to `origin`. None for no such route."""
    context = _purchase(route_id, now_s=time.time())
    if context is None:
        return None
    shown = {**site(None), **context, "origin": origin, "payment_required": True}
    shown["asked"] = asked
    return render_to_string("marketplace/route.html", shown).encode()


def problem(request: HttpRequest, slug: str) -> HttpResponse:
    explained = explaining.PROBLEMS.get(slug)
    if explained is None:
        raise Http404
    return render(request, "marketplace/problem.html", {"problem": explained})


def problems(request: HttpRequest) -> HttpResponse:
    explained = sorted(explaining.PROBLEMS.values(), key=lambda each: (each.status, each.slug))
    return render(request, "marketplace/problems.html", {"problems": explained})


def llms(_request: HttpRequest) -> HttpResponse:
    """The most used services; the others are found by searching."""
    used = Standing.objects.filter(listed=True).order_by("-popularity", "-pk")
    chosen = list(used.values_list("pk", flat=True)[: LLMS_SERVICES_MAX + 1])
    listed = Service.objects.listed().filter(pk__in=chosen[:LLMS_SERVICES_MAX]).order_by("name")
    on_sale = RouteQuote.objects.on_sale().order_by("amount", "name")
    routes = Route.objects.standing().prefetch_related(Prefetch("quotes", on_sale, "on_sale"))
    shown = [
        {
            "service": each,
            "routes": [
                route_plans(each, one, getattr(one, "on_sale"))  # noqa: B009  named by the Prefetch
                for one in getattr(each, "standing")  # noqa: B009
            ],
        }
        for each in listed.prefetch_related(Prefetch("routes", routes, "standing"))
    ]
    more = len(chosen) > LLMS_SERVICES_MAX
    context = {"services": shown, "more": more, "origin": settings.ORIGIN}
    text = render_to_string("marketplace/llms.txt", context)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def _purchase(route_id: str, *, now_s: float, to_members: bool = False) -> dict[str, Any] | None:
    slug, _, route_slug = route_id.partition("/")
    standing = Route.objects.standing().select_related("service__provider", "service__category")
    gated = standing.exclude(service__state=Service.State.DRAFT)
    found = gated.filter(service__slug=slug, slug=route_slug).first()
    if found is None or (found.service.visibility == MEMBERS and not to_members):
        return None
    prices = list(quoting.on_sale(route_id, to_members=to_members))
    signed = quoting.sign_all(prices, now_s)
    shown = route_plans(found.service, found, prices)
    return {
        "service": found.service,
        "route": shown,
        "offers": [
            {
                "plan": plan(price),
                "quote": quote,
                "valid_until": datetime.fromtimestamp(quote.expires_at, UTC),
                "valid_for": plans.show_duration(int((quote.expires_at - now_s) // 60) * 60),
            }
            for price, quote in zip(prices, signed, strict=True)
        ],
        "chain": settings.CHAIN,
        "snippets": shown.snippets,
        "guards": guarding.guard_of(found, found.service).words(),
        "payment_required": False,
    }
