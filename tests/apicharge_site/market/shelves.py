"""Providers, services and prices, and what was measured and said of them."""

import json
import random
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils.text import slugify

from gateway.domain.chronicle import BUCKETS
from marketplace import importing, listing, pricing
from marketplace.models import (
    ApiDocument,
    Category,
    DomainProof,
    MeasuredDay,
    PlanDemand,
    Provider,
    Review,
    Route,
    RouteQuote,
    Service,
    ServiceNote,
    Standing,
    Upstream,
)
from tests.apicharge_site.market import wares
from tests.marketplace import shop

DAYS = 90


def stock(now: datetime, upstream: str) -> None:
    for slug, (name, domain, about) in wares.PROVIDERS.items():
        owner = User.objects.create_user(slug, f"{slug}@{slug}.example", is_staff=True)
        provider = Provider.objects.create(
            owner=owner,
            name=name,
            slug=slug,
            payout_address=shop.account(name),
            about=about,
            website=f"https://{domain}" if domain else "",
            support=f"support@{slug}.example",
        )
        if domain:
            DomainProof.objects.create(
                provider=provider, domain=domain, checked_at=now, proven_at=now
            )
    for number, ware in enumerate(wares.WARES):
        service = _service(ware, upstream)
        _measured(service, now, busy=len(wares.WARES) - number)
    busiest = Service.objects.get(slug=wares.WARES[0][0])
    for featured in Service.objects.filter(slug__in=wares.FEATURED):
        featured.featured = True
        featured.save()
    _talked_about(busiest, now)
    listing.refresh(Service.objects.values_list("pk", flat=True), now)
    for place, standing in enumerate(Standing.objects.order_by("service")):
        buyers = max(2, 160 - 9 * place)
        Standing.objects.filter(pk=standing.pk).update(
            buyers=buyers, repeat_buyers=buyers // 3, recent_buyers=buyers // 2, probed_at=now
        )
    Standing.objects.filter(service__slug="filings").update(down_since=now - timedelta(hours=2))


def _service(ware: wares.Ware, upstream: str) -> Service:
    slug, by, category, name, tagline, description, speaks, routes = ware
    service = Service.objects.create(
        provider=Provider.objects.get(slug=by),
        category=Category.objects.get_or_create(slug=slugify(category), name=category)[0],
        slug=slug,
        name=name,
        tagline=tagline,
        description=description,
        protocols=speaks,
        state=Service.State.PUBLISHED,
    )
    Upstream.objects.create(service=service, url=upstream)
    for route_slug, route_name, path, methods, prices in routes:
        route = Route.objects.create(
            service=service, slug=route_slug, name=route_name, path=path, methods=methods
        )
        for title, amount, asset, seconds, limits in prices:
            fields = {"amount": amount, "asset": asset, "access_seconds": seconds}
            shop.price(route, title, limits=limits, **fields)
    return service


def _measured(service: Service, now: datetime, *, busy: int) -> None:
    chance = random.Random(service.slug)
    rows, faster = [], chance.randint(-2, 2)
    for age in range(DAYS):
        latencies = [0] * BUCKETS
        for bucket in (3, 4, 4, 5, 5, 6, 7):
            latencies[bucket + faster] += chance.randint(0, 60) * busy
        bad = chance.random() < 0.04
        calls = sum(latencies)
        rows.append(
            MeasuredDay(
                service=service,
                day=now.date() - timedelta(days=age),
                calls=calls,
                failures=calls // (30 if bad else 900),
                latencies=latencies,
                probes=1_440,
                answered=1_440 - (chance.randint(20, 200) if bad else 0),
            )
        )
    MeasuredDay.objects.bulk_create(rows)


def _talked_about(service: Service, now: datetime) -> None:
    for number, (stars, text, reply) in reversed(list(enumerate(wares.REVIEWS))):
        review = Review.objects.create(
            service=service,
            buyer=shop.account(f"reviewer {number}"),
            grant=f"{number:064x}",
            stars=stars,
            text=text,
            reply=reply,
            replied_at=now if reply else None,
        )
        written = now - timedelta(days=3 + 11 * number)
        Review.objects.filter(pk=review.pk).update(created_at=written)
    for number, (title, text) in enumerate(wares.NOTES):
        note = ServiceNote.objects.create(service=service, title=title, text=text)
        noted = now - timedelta(days=9 + 30 * number)
        ServiceNote.objects.filter(pk=note.pk).update(created_at=noted)
    document = importing.read(json.dumps(wares.DOCUMENT).encode())
    importing.keep(service, document, ApiDocument.Source.UPLOAD)
    again = RouteQuote.objects.get(route__service=service, name="Day pass")
    dearer = RouteQuote(route=again.route, name=again.name, amount=10_000_000, asset=again.asset)
    dearer.access_seconds, dearer.limits = again.access_seconds, again.limits
    pricing.publish(pricing.save_draft(dearer), now)
    shop.draft(again.route, "Weekend pass", amount=14_000_000, access_seconds=2 * wares.DAY)
    others = RouteQuote.objects.on_sale().filter(route=again.route, amount__gt=0)
    for price in others:
        PlanDemand.objects.create(price=price, sold=31 if price == dearer else 9)
