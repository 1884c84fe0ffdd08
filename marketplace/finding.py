"""Which services a search finds: filters, and words by the database's own full-text index.

What few have is looked up first, all of it, and put in order; what many have is walked in its
order, row by row, until a page is full. No planner can tell these apart: it knows how many values
a column has, at most, and nothing of bits and words. So a look that ends after some rows tells.
Words are looked up by each database in its own way (see the migration); all else is alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import BooleanField, Exists, F, FilteredRelation, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan

from marketplace.domain import standings
from marketplace.domain.words import asked
from marketplace.models import CheapestPrice, Standing
from marketplace.searching import PROTOCOLS, REGIONS, Search

OF_MODEL = {
    "free": Q(has_free=True, has_paid=False),
    "freemium": Q(has_free=True, has_paid=True),
    "pass": Q(has_pass=True),
    "usage": Q(has_usage=True),
}
COUNT_MAX = 1_000
"""Of what was found, more are not counted; and more than so many pass filters often enough."""
FEW = 2_000
FREQUENT = 100
"""So many of a sample of 2 % say that words are frequent, without a look at all that have them."""
COLUMNS = {False: "everything", True: "names"}
IN_POSTGRESQL = "SELECT service_id FROM marketplace_words WHERE {} @@ to_tsquery('apicharge', %s)"
HERE_IN_POSTGRESQL = """(SELECT {} @@ to_tsquery('apicharge', %s) FROM marketplace_words
    WHERE marketplace_words.service_id = marketplace_standing.service_id)"""
SAMPLED_IN_POSTGRESQL = """SELECT 1 FROM marketplace_words TABLESAMPLE SYSTEM (2) REPEATABLE (1)
    WHERE {} @@ to_tsquery('apicharge', %s) LIMIT %s"""
IN_SQLITE = "SELECT rowid FROM marketplace_words_index WHERE marketplace_words_index MATCH %s"
HERE_IN_SQLITE = f"(+marketplace_standing.service_id IN ({IN_SQLITE}))"
"""The sign keeps SQLite from going to the rows by the words, and sorting all of them."""

Rows = QuerySet[Standing]


class Found(NamedTuple):
    """In parts that are shown one after the other, each in the search's order."""

    parts: list[Rows]
    counted: list[Rows]
    """What to count, in turn, until there are enough: some of all, then all."""
    total: int | None = None
    """Where it is known already."""


class Having(NamedTuple):
    """The condition on a service; where many have the words, also one that some of them fulfil."""

    here: Q
    some: Q | None
    is_few: bool


class Passing(NamedTuple):
    """What passes the filters, and what is still to be asked of it."""

    rows: Rows
    here: Q
    total: int | None = None


def find(search: Search) -> Found:
    words = asked(search.words)
    if search.words and not words:
        return Found([Standing.objects.none()], [])
    anywhere = _having(words, names_only=False) if words else Having(Q(), None, is_few=False)
    is_looked_at = search.filters and not anywhere.is_few
    passing = (
        _look(search, anywhere.here) if is_looked_at else Passing(_filtered(search), anywhere.here)
    )
    rows, here, total = passing
    conditions = [here] if anywhere.some is None else [anywhere.some, here]
    counted = [rows.filter(each) for each in conditions]
    if search.sort != "relevance":
        return Found([rows.filter(here)], counted, total)
    named = _having(words, names_only=True).here
    return Found([rows.filter(named), rows.filter(here & ~named)], counted, total)


def _look(search: Search, here: Q) -> Passing:
    """At what passes the filters and has the words, until it is clear whether that is few.

    On SQLite in the order in which rows lie, or it takes some index and looks for each row anew.
    """
    conditions = _conditions(search)
    found = Standing.objects.filter(conditions, here, listed=True).values_list("pk", flat=True)
    if not conditions:
        found = found.filter(prices__asset=search.asset)
    elif connection.vendor == "sqlite":
        found = found.order_by(RawSQL("marketplace_standing.rowid", []))
    some = list(found[: COUNT_MAX + 1])
    total = None if search.asset and conditions else len(some)
    if len(some) > COUNT_MAX:
        return Passing(_filtered(search), here, total)
    return Passing(_priced(Standing.objects.filter(pk__in=some), search), Q(), total)


def _filtered(search: Search) -> Rows:
    return _priced(Standing.objects.filter(_conditions(search), listed=True), search)


def _priced(found: Rows, search: Search) -> Rows:
    """Joined only where prices are the order: SQLite would go by them, and sort all."""
    if not search.asset:
        return found
    if search.sort == "price":
        in_asset = FilteredRelation("prices", condition=Q(prices__asset=search.asset))
        joined = found.annotate(price=in_asset).filter(price__isnull=False)
        return joined.annotate(order_value=F("price__per_hour"))
    prices = CheapestPrice.objects.filter(standing=OuterRef("pk"), asset=search.asset)
    return found.filter(Exists(prices))


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
    if search.protocol:
        wanted &= _has_bit("protocols", search.protocol, [*PROTOCOLS])
    if search.region:
        wanted &= _has_bit("regions", search.region, [*REGIONS])
    return wanted


def _has_bit(column: str, chosen: str, known: Sequence[str]) -> Q:
    return Q(GreaterThan(F(column).bitand(standings.bits([chosen], known)), 0))


def _having(words: Sequence[str], *, names_only: bool) -> Having:
    """With all of these words, or words that begin so. They are letters and digits.

    Few are looked up at once: PostgreSQL takes such words for frequent ones, and would go through
    all services to find them. Many it takes for few, and would sort all of them; it is made to
    walk the order instead by a subquery of each row.
    """
    if connection.vendor != "postgresql":
        query = " AND ".join(f'"{word}"*' for word in words)
        query = f"{{name}} : ({query})" if names_only else query
        statement, here = IN_SQLITE, HERE_IN_SQLITE
    else:
        query, column = " & ".join(f"{word}:*" for word in words), COLUMNS[names_only]
        statement, here = IN_POSTGRESQL.format(column), HERE_IN_POSTGRESQL.format(column)
    everything = Q(RawSQL(here, [query], output_field=BooleanField()))  # noqa: S611
    if _are_frequent(query, names_only=names_only):
        return Having(everything, None, is_few=False)
    found = _some(statement, query)
    some = Q(pk__in=found)
    if len(found) <= FEW:
        return Having(some, None, is_few=True)
    return Having(everything, some, is_few=False)


def _are_frequent(query: str, *, names_only: bool) -> bool:
    """As far as that is known without a look at all: by a sample, which only PostgreSQL takes."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(SAMPLED_IN_POSTGRESQL.format(COLUMNS[names_only]), [query, FREQUENT])
        return len(cursor.fetchall()) == FREQUENT


def _some(statement: str, query: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {FEW + 1}", [query])
        return [int(service) for (service,) in cursor.fetchall()]
