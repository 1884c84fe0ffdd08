"""What changed about a service, newest first: prices, its API's document, and its provider's notes.

A price that changed is for new buyers: what was bought stays as it was bought.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Case, F, IntegerField, Q, Value, When
from django.utils.translation import gettext

from marketplace.domain import plans
from marketplace.models import ApiDocument, RouteQuote, Service, ServiceNote

API, INCIDENT = "api", ServiceNote.Kind.INCIDENT.value
SHOWN_MAX = 40
READ_MAX = 200
"""Versions of prices that are looked at: each is compared with the one before it."""


@dataclass(frozen=True, slots=True)
class Change:
    at: datetime
    kind: str
    title: str
    detail: str = ""
    over_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Something that is not as it should be, now."""
        return self.kind == INCIDENT and self.over_at is None


def changes(service: Service) -> list[Change]:
    """The newest; and incidents that are not over, whatever changed since."""
    found = [*_prices(service), *_said(service)]
    ordered = sorted(found, key=lambda change: change.at, reverse=True)
    return [each for place, each in enumerate(ordered) if place < SHOWN_MAX or each.is_open]


def _prices(service: Service) -> Iterator[Change]:
    known = RouteQuote.objects.filter(~Q(state="draft"), route__service=service)
    newest = known.select_related("route").order_by("-published_at")[:READ_MAX]
    before: dict[tuple[int, str], RouteQuote] = {}
    for price in sorted(newest, key=lambda each: each.version):
        offer = (price.route_id, price.name)
        yield _published(price, before.get(offer))
        before[offer] = price
    yield from _retired(before.values())


def _published(price: RouteQuote, former: RouteQuote | None) -> Change:
    assert price.published_at is not None
    named = {"plan": price.name, "route": price.route.name, "now": _terms(price)}
    if price.version == 1:
        title = gettext("New plan: %(plan)s for %(route)s") % named
        return Change(price.published_at, "price", title, _terms(price))
    title = gettext("%(plan)s for %(route)s has new terms") % named
    if former is None or _terms(former) == _terms(price):
        return Change(price.published_at, "price", title, _terms(price))
    said = gettext("%(now)s, before %(before)s") % {**named, "before": _terms(former)}
    return Change(price.published_at, "price", title, said)


def _retired(newest: Iterable[RouteQuote]) -> Iterator[Change]:
    for price in newest:
        if price.retired_at is not None:
            named = {"plan": price.name, "route": price.route.name}
            title = gettext("%(plan)s for %(route)s is no longer sold") % named
            yield Change(price.retired_at, "price", title)


def _said(service: Service) -> Iterator[Change]:
    """What its provider wrote, and imported."""
    notes = ServiceNote.objects.filter(service=service).order_by()
    documents = ApiDocument.objects.filter(service=service).order_by()
    columns = ("created_at", "kind", "title", "text", "count", "over_at", "first")
    is_open = Q(kind=INCIDENT, over_at=None)
    first = Case(When(is_open, then=Value(1)), default=Value(0), output_field=IntegerField())
    rows = notes.annotate(count=Value(0), first=first).values_list(*columns)
    imported = documents.annotate(
        kind=Value(API, models.CharField()),
        text=F("api_version"),
        count=F("operation_count"),
        over_at=Value(None, models.DateTimeField()),
        first=Value(0),
    ).values_list(*columns)
    ordered = rows.union(imported, all=True).order_by("-first", "-created_at")
    for at, kind, title, text, count, over_at, _ in ordered[:SHOWN_MAX]:
        if kind != API:
            yield Change(at, kind, title, text, over_at)
        else:
            version = f" {text}" if text else ""
            told = gettext("API description%(version)s") % {"version": version}
            yield Change(at, kind, told, plans.counted(count, "operation"))


def _terms(price: RouteQuote) -> str:
    amount = f"{plans.show_amount(price.amount)} {price.asset}" if price.amount else gettext("free")
    duration = plans.show_duration(price.access_seconds)
    return gettext("%(amount)s for %(duration)s") % {"amount": amount, "duration": duration}
