"""Keeps the catalogue's own rows up to what services, prices and measurements say.

Whoever changes one calls `refresh`, or `publishing.publish`, which looks whether its services were
saved since. What still escaped (a renamed provider, an older day) is found by going through all
services in turn, some each minute.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from gateway.domain.limits import parse_limits
from marketplace import measuring
from marketplace.domain import standings
from marketplace.domain.standings import Offer
from marketplace.domain.words import folded
from marketplace.measuring import Figures
from marketplace.models import (
    ApiDocument,
    Category,
    CheapestPrice,
    Review,
    Route,
    RouteQuote,
    Service,
    Standing,
    Upstream,
    Words,
)
from marketplace.models.standing import NO_PRICE, UNKNOWN_MS

AT_ONCE = 100
"""In one transaction: nobody else may have to wait for longer."""
CHANGED_MAX = 2_000
LOCK = 0x41504C53  # PostgreSQL's advisory locks are numbers; this one is ours.
COLUMNS = ["listed", "featured", "category", "listed_since_s", "plan_count", "has_free", "has_paid"]
COLUMNS += ["has_pass", "has_usage", "amount", "asset", "access_seconds", "price_key", "protocols"]
COLUMNS += ["calls", "success", "p50_ms", "probes", "uptime", "popularity", "refreshed_at"]
COLUMNS += ["rating", "rating_count", "rating_key", "verified", "regions"]
FROM_UPSTREAM = {"ws": "websocket", "wss": "websocket", "grpc": "grpc", "grpcs": "grpc"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What some services' rows say now."""

    listed: Collection[int]
    offers: Mapping[int, list[Offer]]
    routes: Mapping[int, list[Route]]
    protocols: Mapping[int, set[str]]
    operations: Mapping[int, str]
    """What its own document says of them, in words."""
    figures: Mapping[int, Figures]
    stars: Mapping[int, tuple[int, int]]
    """How many reviews there are, and all their stars together."""
    before: Mapping[int, Standing]


def refresh(services: Collection[int], now: datetime | None = None) -> None:
    ordered = sorted(services)
    for begin in range(0, len(ordered), AT_ONCE):
        with transaction.atomic():
            _take_turns()
            _refresh(ordered[begin : begin + AT_ONCE], now or timezone.now())


def catch_up(now: datetime | None = None, among: Collection[int] | None = None) -> None:
    """Services that were saved since their row was made, a bounded number of them."""
    changed = Q(figures=None) | Q(updated_at__gte=F("figures__refreshed_at"))
    services = Service.objects.all() if among is None else Service.objects.filter(pk__in=among)
    refresh(services.filter(changed).values_list("pk", flat=True)[:CHANGED_MAX], now)


@transaction.atomic
def recount() -> None:
    """Of all categories: a service that was deleted is counted until then."""
    _take_turns()
    _count(Category.objects.values_list("pk", flat=True))


def stalest(count: int) -> list[int]:
    oldest = Standing.objects.order_by("refreshed_at")
    return list(oldest.values_list("pk", flat=True)[:count])


def _refresh(services: Collection[int], now: datetime) -> None:
    found = Service.objects.filter(pk__in=services).select_related("provider__proof", "category")
    rows = list(found)
    seen = _look(services, now)
    made = [_standing(service, seen, now) for service in rows]
    Standing.objects.bulk_create(
        made,
        update_conflicts=True,
        unique_fields=["service"],
        update_fields=COLUMNS,
    )
    CheapestPrice.objects.filter(standing__in=services).delete()
    CheapestPrice.objects.bulk_create(
        price for service in rows for price in _prices(service.pk, seen.offers[service.pk])
    )
    Words.objects.bulk_create(
        [_words(service, seen) for service in rows],
        update_conflicts=True,
        unique_fields=["service"],
        update_fields=["name", "rest"],
    )
    _count({category for one in made for category in _moved(one, seen.before.get(one.pk))})


def _look(services: Collection[int], now: datetime) -> _Seen:
    routes: dict[int, list[Route]] = defaultdict(list)
    of_route: dict[int, int] = {}
    for route in Route.objects.standing().filter(service__in=services):
        routes[route.service_id].append(route)
        of_route[route.pk] = route.service_id
    offers: dict[int, list[Offer]] = defaultdict(list)
    sold = set(Service.objects.on_sale().filter(pk__in=services).values_list("pk", flat=True))
    of_sold = [route for route, service in of_route.items() if service in sold]
    # By the routes alone: SQLite would go through all services to find those that are on sale.
    published = RouteQuote.objects.filter(route__in=of_sold, state=RouteQuote.State.PUBLISHED)
    for price in published.filter(asset__in=list(settings.CHAIN.assets)):
        limits = tuple(parse_limits(price.limits))
        offer = Offer(price.amount, price.asset, price.access_seconds, limits)
        offers[of_route[price.route_id]].append(offer)
    protocols: dict[int, set[str]] = defaultdict(set)
    for service, url in Upstream.objects.filter(service__in=services).values_list("service", "url"):
        protocols[service].add(FROM_UPSTREAM.get(url.partition(":")[0].lower(), ""))
    documents = ApiDocument.objects.filter(service__in=services, is_current=True)
    operations = {}
    for service, words, streams in documents.values_list("service", "words", "streams"):
        operations[service] = words
        if streams:
            protocols[service].add(Service.Protocol.SSE)
    before = Standing.objects.in_bulk(services)
    rated = Review.objects.shown().filter(service__in=services).order_by().values_list("service")
    stars = {pk: (count, given) for pk, count, given in rated.annotate(Count("pk"), Sum("stars"))}
    listed = set(Service.objects.listed().filter(pk__in=services).values_list("pk", flat=True))
    figures = measuring.figures(services, now)
    return _Seen(listed, offers, routes, protocols, operations, figures, stars, before)


def _standing(service: Service, seen: _Seen, now: datetime) -> Standing:
    offers, figures = seen.offers[service.pk], seen.figures.get(service.pk, Figures())
    before = seen.before.get(service.pk, Standing())
    listed = service.pk in seen.listed
    paid = [offer for offer in offers if offer.amount]
    first = standings.cheapest(offers)
    key = standings.price_key(offers, list(settings.CHAIN.assets))
    protocols = {*service.protocols, *seen.protocols[service.pk]}
    median = standings.median_ms(figures.latencies)
    reviews, stars = seen.stars.get(service.pk, (0, 0))
    return Standing(
        service=service,
        listed=listed,
        featured=service.featured,
        category=service.category,
        listed_since_s=before.listed_since_s or (int(now.timestamp()) if listed else 0),
        plan_count=len(offers),
        has_free=len(paid) < len(offers),
        has_paid=bool(paid),
        has_pass=any(not offer.is_counted for offer in paid),
        has_usage=any(offer.is_counted for offer in paid),
        amount=first.amount if first else None,
        asset=first.asset if first else "",
        access_seconds=first.access_seconds if first else None,
        price_key=NO_PRICE if key is None else key,
        protocols=standings.bits(protocols, Service.Protocol.values),
        regions=standings.bits(service.regions, Service.Region.values),
        verified=service.provider.is_verified,
        calls=figures.calls,
        success=standings.share(figures.calls - figures.failures, figures.calls),
        p50_ms=UNKNOWN_MS if median is None else median,
        probes=figures.probes,
        uptime=standings.share(figures.answered, figures.probes),
        popularity=standings.popularity(before.recent_buyers, figures.calls),
        rating=100 * stars // reviews if reviews else 0,
        rating_count=reviews,
        rating_key=standings.rating_key(stars, reviews),
        refreshed_at=now,
    )


def _prices(service: int, offers: Iterable[Offer]) -> Iterable[CheapestPrice]:
    by_asset: dict[str, list[Offer]] = defaultdict(list)
    for offer in offers:
        by_asset[offer.asset].append(offer)
    for asset, some in by_asset.items():
        if first := standings.cheapest(some):
            yield CheapestPrice(
                standing_id=service,
                asset=asset,
                amount=first.amount,
                access_seconds=first.access_seconds,
                per_hour=standings.least_per_hour(some),
            )


def _words(service: Service, seen: _Seen) -> Words:
    category = service.category.name if service.category else ""
    said = [service.tagline, service.provider.name, category, service.description]
    said += service.tags
    said += [f"{each.name} {each.path} {each.description}" for each in seen.routes[service.pk]]
    said.append(seen.operations.get(service.pk, ""))
    return Words(
        service=service, name=folded(f"{service.name} {service.slug}"), rest=folded(" ".join(said))
    )


def _moved(now: Standing, before: Standing | None) -> set[int | None]:
    """The categories that do not have as many services as before."""
    was = {before.category_id} if before is not None and before.listed else set()
    return was ^ ({now.category_id} if now.listed else set())


def _count(categories: Iterable[int | None]) -> None:
    wanted = [category for category in categories if category is not None]
    listed = Count("standings", filter=Q(standings__listed=True))
    for category in Category.objects.filter(pk__in=wanted).annotate(listed=listed):
        Category.objects.filter(pk=category.pk).update(service_count=category.listed)


def _take_turns() -> None:
    """What is read here is what is written: nobody's older look comes after a newer one."""
    if connection.vendor == "postgresql":  # SQLite's BEGIN IMMEDIATE did so already.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
