"""A page of the catalogue: what a search finds from a key on, or the shelves of the first page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db.models import Q, QuerySet

from marketplace.cards import Card, card
from marketplace.finding import COUNT_MAX, find
from marketplace.models import CheapestPrice, Service, ServiceQuerySet, Standing
from marketplace.searching import Key, Order, Search

PAGE_SIZE = 24
FEATURED_MAX, MOST_USED_MAX, OF_MEMBERS_MAX = 6, 6, 48

Found = tuple[int, Standing]
"""A row, and the part of the order that it is in."""


@dataclass(frozen=True, slots=True)
class Page:
    cards: list[Card]
    previous: str
    next: str
    total: int
    more_than_counted: bool


@dataclass(frozen=True, slots=True)
class Front:
    of_members: list[Card]
    featured: list[Card]
    most_used: list[Card]
    newest: list[Card]
    more: str


def page(search: Search, *, after: str, before: str) -> Page:
    backwards = Key.of(before) if not Key.of(after) else None
    begin = backwards or Key.of(after)
    order, found = search.ordered_by(), find(search)
    rows = _walk(found.parts, order, begin, backwards=backwards is not None)
    more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    if backwards:
        rows.reverse()
    is_first = begin is None or (backwards is not None and not more)
    is_last = not more and backwards is None
    total = len(rows) if is_first and is_last else found.total or _count(found.counted)
    return Page(
        cards=_cards([row for _, row in rows], search.asset),
        previous="" if is_first or not rows else search.address(before=order.key(*rows[0])),
        next="" if is_last or not rows else search.address(after=order.key(*rows[-1])),
        total=min(total, COUNT_MAX),
        more_than_counted=total > COUNT_MAX,
    )


def front(of_members: ServiceQuerySet) -> Front:
    """Each service stands on one shelf; `of_members` is what is for this visitor."""
    listed = Standing.objects.filter(listed=True)
    featured = list(listed.filter(featured=True).order_by("-pk")[:FEATURED_MAX])
    used = listed.filter(popularity__gt=0).order_by("-popularity", "-pk")
    used_most = _without(used[: FEATURED_MAX + MOST_USED_MAX], featured)[:MOST_USED_MAX]
    newest = Search(order="newest")
    rows = [row for _, row in _walk(find(newest).parts, newest.ordered_by(), None, backwards=False)]
    shown = rows[:PAGE_SIZE]
    cards = {each.service: each for each in _cards([*featured, *used_most, *shown])}

    def shelf(rows: Iterable[Standing]) -> list[Card]:
        return [cards[row.pk] for row in rows if row.pk in cards]

    return Front(
        of_members=_cards_of(of_members.order_by("name")),
        featured=shelf(featured),
        most_used=shelf(used_most),
        newest=shelf(_without(shown, [*featured, *used_most])),
        more=newest.address(after=newest.ordered_by().key(0, shown[-1]))
        if len(rows) > PAGE_SIZE
        else "",
    )


def _without(rows: Iterable[Standing], others: Sequence[Standing]) -> list[Standing]:
    known = {other.pk for other in others}
    return [row for row in rows if row.pk not in known]


def _walk(
    found: Sequence["QuerySet[Standing]"], order: Order, begin: Key | None, *, backwards: bool
) -> list[Found]:
    """From the key on, one row more than a page has; part by part, as far as needed."""
    rows: list[Found] = []
    numbers = range(len(found))
    for number in reversed(numbers) if backwards else numbers:
        if begin is not None and (number > begin.part if backwards else number < begin.part):
            continue
        key = begin if begin is not None and number == begin.part else None
        part = _ordered(found[number], order, key, backwards=backwards)
        rows += [(number, row) for row in part[: PAGE_SIZE + 1 - len(rows)]]
        if len(rows) > PAGE_SIZE:
            break
    return rows


def _ordered(
    rows: "QuerySet[Standing]", order: Order, key: Key | None, *, backwards: bool
) -> "QuerySet[Standing]":
    descending = order.descending != backwards
    if key is not None:
        beyond = "lt" if descending else "gt"
        rows = rows.filter(
            Q(**{f"{order.column}__{beyond}": key.value})
            | Q(**{order.column: key.value, f"service__{beyond}": key.service}),
            **{f"{order.column}__{beyond}e": key.value},
        )
    sign = "-" if descending else ""
    return rows.order_by(f"{sign}{order.column}", f"{sign}service_id")


def _count(counted: Iterable["QuerySet[Standing]"]) -> int:
    """How many there are, of which no more than needed are counted."""
    total = 0
    for rows in counted:
        total = rows.order_by().values("pk")[: COUNT_MAX + 1].count()
        if total > COUNT_MAX:
            break
    return total


def _cards_of(services: ServiceQuerySet) -> list[Card]:
    known = services.select_related("provider__proof", "category", "figures").exclude(figures=None)
    return [card(service, service.figures) for service in known[:OF_MEMBERS_MAX]]


def _cards(rows: Sequence[Standing], asset: str = "") -> list[Card]:
    """Those of them that anybody may still see, as the services' own rows say it."""
    wanted = {row.pk for row in rows}
    services = Service.objects.listed().filter(pk__in=wanted)
    shown = services.select_related("provider__proof", "category").only(
        *("name", "slug", "tagline", "category__name", "provider__name"),
        *("provider__proof__checked_at", "provider__proof__proven_at"),
    )
    known = {service.pk: service for service in shown}
    prices: dict[int, CheapestPrice] = {}
    if asset:
        in_asset = CheapestPrice.objects.filter(standing__in=wanted, asset=asset)
        prices = {price.standing_id: price for price in in_asset}
    unique = {row.pk: row for row in chain(rows)}.values()
    return [card(known[row.pk], row, prices.get(row.pk)) for row in unique if row.pk in known]
