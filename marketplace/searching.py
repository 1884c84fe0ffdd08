"""Which services a search finds, and in which order. The whole search is in the address.

Each order walks an index by (column, service), so a page costs the same however deep it lies; the
key of the last row shown is where the next page begins. Words are looked up in the database's own
full-text index (see the migration), which differs by database; all else does not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, F, FilteredRelation, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from marketplace.domain import standings
from marketplace.domain.words import asked
from marketplace.models import Service, Standing

SEARCH_LENGTH_MAX = 100
ORDERS = {
    "relevance": _("Best match"),
    "popularity": _("Most used"),
    "price": _("Price per hour"),
    "latency": _("Fastest answer"),
    "rating": _("Best rated"),
    "newest": _("Newest first"),
}
MODELS = {
    "free": _("Free"),
    "freemium": _("Free and paid"),
    "pass": _("By time"),
    "usage": _("By use"),
}
SUCCESSES = {"90": "90 %", "99": "99 %", "99.9": "99.9 %"}
LATENCIES = {"50": "50 ms", "250": "250 ms", "1000": "1 s", "5000": "5 s"}
PROTOCOLS: dict[str, str] = {name: str(label) for name, label in Service.Protocol.choices}
REGIONS: dict[str, object] = dict(Service.Region.choices)
OF_MODEL = {
    "free": Q(has_free=True, has_paid=False),
    "freemium": Q(has_free=True, has_paid=True),
    "pass": Q(has_pass=True),
    "usage": Q(has_usage=True),
}
KEY = re.compile(r"([01])\.(-?[0-9]{1,19})\.([0-9]{1,18})")
INTEGER_MAX = 2**63 - 1
FEW = 2_000
FREQUENT = 100
"""So many of a sample of 2 % say that words are frequent, without a look at all that have them."""


class Key(NamedTuple):
    """Where a row stands in an order: in which part of it, by what, and which row."""

    part: int
    value: int
    service: int

    @classmethod
    def of(cls, text: str) -> "Key | None":
        found = KEY.fullmatch(text)
        if found is None or abs(int(found[2])) > INTEGER_MAX:
            return None
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.part}.{self.value}.{self.service}"


class Order(NamedTuple):
    column: str
    descending: bool

    def key(self, part: int, row: Standing) -> Key:
        value = getattr(row, "order_value", None)
        return Key(part, getattr(row, self.column) if value is None else value, row.pk)


@dataclass(frozen=True, slots=True)
class Search:
    words: str = ""
    category: str = ""
    model: str = ""
    asset: str = ""
    protocol: str = ""
    region: str = ""
    success: str = ""
    latency: str = ""
    trial: str = ""
    verified: str = ""
    order: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "Search":
        """Whatever stands in the address; what makes no sense is left out."""

        def chosen(name: str, known: Sequence[str]) -> str:
            value = query.get(name, "")
            return value if value in known else ""

        return cls(
            words=" ".join(query.get("q", "").replace("\0", "").split())[:SEARCH_LENGTH_MAX],
            category=query.get("category", "")[:63].replace("\0", ""),
            model=chosen("model", [*MODELS]),
            asset=chosen("asset", [*settings.CHAIN.assets]),
            protocol=chosen("protocol", [*PROTOCOLS]),
            region=chosen("region", [*REGIONS]),
            success=chosen("success", [*SUCCESSES]),
            latency=chosen("latency", [*LATENCIES]),
            trial=chosen("trial", ["1"]),
            verified=chosen("verified", ["1"]),
            order=chosen("sort", [*ORDERS]),
        )

    @property
    def filters(self) -> dict[str, str]:
        named = {
            "category": self.category,
            "model": self.model,
            "asset": self.asset,
            "protocol": self.protocol,
            "region": self.region,
            "success": self.success,
            "latency": self.latency,
            "trial": self.trial,
            "verified": self.verified,
        }
        return {name: value for name, value in named.items() if value}

    @property
    def is_narrow(self) -> bool:
        return bool(self.words or self.filters)

    @property
    def is_front(self) -> bool:
        """Nothing is asked for: what is shown is for us to choose."""
        return not (self.is_narrow or self.order)

    @property
    def sort(self) -> str:
        if self.order == "relevance" and not self.words:
            return "popularity"
        return self.order or ("relevance" if self.words else "popularity")

    def address(self, *, after: object = "", before: object = "", **changes: str) -> str:
        """The query string of this search with `changes`, without what is the default."""
        search = replace(self, **changes)
        state = {"q": search.words, **search.filters, "sort": search.order}
        state |= {"after": str(after), "before": str(before)}
        return "?" + urlencode({name: value for name, value in state.items() if value})

    def ordered_by(self) -> Order:
        if self.sort == "price":
            return Order("price__per_hour" if self.asset else "price_key", descending=False)
        if self.sort == "latency":
            return Order("p50_ms", descending=False)
        if self.sort == "rating":
            return Order("rating_key", descending=True)
        if self.sort == "newest":
            return Order("listed_since_s", descending=True)
        return Order("popularity", descending=True)


class Found(NamedTuple):
    """In parts that are shown one after the other, each in the search's order."""

    parts: list["QuerySet[Standing]"]
    counted: list["QuerySet[Standing]"]
    """What to count, in turn, until there are enough: some of all, then all."""


def find(search: Search) -> Found:
    rows = _filtered(search)
    if not search.words:
        return Found([rows], [rows])
    words = asked(search.words)
    if not words:
        return Found([rows.none()], [])
    anywhere = _having(words, names_only=False)
    counted = [rows.filter(each) for each in (anywhere.some, anywhere.here) if each is not None]
    if search.sort != "relevance":
        return Found([rows.filter(anywhere.here)], counted)
    named = _having(words, names_only=True).here
    return Found([rows.filter(named), rows.filter(anywhere.here & ~named)], counted)


def _filtered(search: Search) -> "QuerySet[Standing]":
    found = Standing.objects.filter(_conditions(search), listed=True)
    if search.asset:
        in_asset = FilteredRelation("prices", condition=Q(prices__asset=search.asset))
        found = found.annotate(price=in_asset).filter(price__isnull=False)
    if search.asset and search.sort == "price":
        found = found.annotate(order_value=F("price__per_hour"))
    if search.protocol:
        wanted = standings.bits([search.protocol], [*PROTOCOLS])
        found = found.annotate(spoken=F("protocols").bitand(wanted)).filter(spoken__gt=0)
    if search.region:
        wanted = standings.bits([search.region], [*REGIONS])
        found = found.annotate(there=F("regions").bitand(wanted)).filter(there__gt=0)
    return found


def _conditions(search: Search) -> Q:
    wanted = OF_MODEL.get(search.model, Q())
    if search.category:
        wanted &= Q(category__slug=search.category)
    if search.trial:
        wanted &= Q(has_free=True)
    if search.verified:
        wanted &= Q(verified=True)
    if search.success:
        wanted &= Q(success__gte=round(float(search.success) * 100))
    if search.latency:
        wanted &= Q(p50_ms__lte=int(search.latency))
    return wanted


COLUMNS = {False: "everything", True: "names"}
IN_POSTGRESQL = "SELECT service_id FROM marketplace_words WHERE {} @@ to_tsquery('apicharge', %s)"
HERE_IN_POSTGRESQL = """(SELECT {} @@ to_tsquery('apicharge', %s) FROM marketplace_words
    WHERE marketplace_words.service_id = marketplace_standing.service_id)"""
SAMPLED_IN_POSTGRESQL = """SELECT 1 FROM marketplace_words TABLESAMPLE SYSTEM (2) REPEATABLE (1)
    WHERE {} @@ to_tsquery('apicharge', %s) LIMIT %s"""
IN_SQLITE = "SELECT rowid FROM marketplace_words_index WHERE marketplace_words_index MATCH %s"


class Having(NamedTuple):
    """The condition on a service; where many have the words, also one that some of them fulfil."""

    here: Q
    some: Q | None


def _having(words: Sequence[str], *, names_only: bool) -> Having:
    """With all of these words, or words that begin so. They are letters and digits.

    Few are looked up at once: the planner takes such words for frequent ones, and would go through
    all services to find them. Many it takes for few, and would sort all of them; PostgreSQL is
    made to walk the order instead, row by row until there are enough, by a subquery of each row.
    """
    if connection.vendor != "postgresql":
        query = " AND ".join(f'"{word}"*' for word in words)
        query = f"{{name}} : ({query})" if names_only else query
        found = _some(IN_SQLITE, query)
        everything = Q(pk__in=RawSQL(IN_SQLITE, [query]))  # noqa: S611
    else:
        query, column = " & ".join(f"{word}:*" for word in words), COLUMNS[names_only]
        here = HERE_IN_POSTGRESQL.format(column)
        everything = Q(RawSQL(here, [query], output_field=BooleanField()))  # noqa: S611
        if _are_frequent(SAMPLED_IN_POSTGRESQL.format(column), query):
            return Having(everything, None)
        found = _some(IN_POSTGRESQL.format(column), query)
    some = Q(pk__in=found)
    return Having(some, None) if len(found) <= FEW else Having(everything, some)


def _are_frequent(statement: str, query: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [query, FREQUENT])
        return len(cursor.fetchall()) == FREQUENT


def _some(statement: str, query: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {FEW + 1}", [query])
        return [int(service) for (service,) in cursor.fetchall()]
