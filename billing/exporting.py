"""Payments, grants, refunds and the audit log for bookkeeping: a page at a time, ordered by key.

A file over the web is bounded; the next one begins after the last row of the one before. Nothing
here is secret: tokens are not exported.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from billing.domain import sheets
from billing.domain.sheets import Format, Row
from billing.models import AuditEntry, GrantedToken, Payment, Refund

ROWS_PER_FILE = 100_000
ROWS_PER_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Book:
    model: type[Model]
    columns: tuple[str, ...]
    at: str  # The column with the time of a row,
    ticks_per_second: int = 1  # and its unit.


SALE = ("network", "route", "buyer", "payee", "treasury", "asset_code", "amount", "fee")
BOOKS: Mapping[str, Book] = {
    "payments": Book(
        Payment,
        (
            *("id", "network", "tx_hash", "ledger", "closed_at_s", "purchase_ref", "buyer"),
            *("payee", "treasury", "asset", "amount", "fee", "digest", "standing", "differs_in"),
        ),
        at="closed_at_s",
    ),
    "grants": Book(
        GrantedToken,
        (
            *("id", "purchase_id", "created_at_s", "expires_at_s", "kid"),
            *(f"purchase__{name}" for name in (*SALE, "paid_tx_hash", "paid_at_s")),
        ),
        at="created_at_s",
    ),
    "refunds": Book(
        Refund,
        (
            *("id", "purchase_id", "network", "tx_hash", "state", "created_at_s"),
            *("moved_at_s", "ledger", "payer", "receiver", "asset_code", "asset", "amount"),
            *("reason", "ends_grant", "problem", "purchase__route"),
        ),
        at="created_at_s",
    ),
    "audit": Book(
        AuditEntry,
        ("number", "at_ms", "actor", "action", "subject", "detail", "previous", "hash"),
        at="at_ms",
        ticks_per_second=1_000,
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    book: Book
    format: Format
    since_s: int | None = None
    until_s: int | None = None  # Not included.
    after: str = ""  # The key of the last row of the file before.
    visible: QuerySet[Any] | None = None  # All, or what somebody may see.


def chunks(wanted: Wanted, *, rows_max: int | None = None) -> Iterator[str]:
    """The file, a page of rows at a time."""
    book, format_ = wanted.book, wanted.format
    yield sheets.head(format_, book.columns)
    key, after, written = book.columns[0], wanted.after, 0
    while rows := _page(wanted, after, _still(written, rows_max)):
        yield sheets.body(format_, book.columns, rows, first=not written)
        after, written = str(rows[-1][key]), written + len(rows)
    yield sheets.tail(format_)


def last_of_file(wanted: Wanted) -> object | None:
    """Where the next file begins, when one does not hold all."""
    keys = _rows(wanted, wanted.after).values_list("pk", flat=True)
    ends = list(keys[ROWS_PER_FILE - 1 : ROWS_PER_FILE + 1])
    return ends[0] if len(ends) > 1 else None


def _still(written: int, rows_max: int | None) -> int:
    return ROWS_PER_PAGE if rows_max is None else min(ROWS_PER_PAGE, rows_max - written)


def _page(wanted: Wanted, after: str, rows: int) -> list[Row]:
    return list(_rows(wanted, after).values(*wanted.book.columns)[:rows])


def _rows(wanted: Wanted, after: str) -> QuerySet[Model]:
    book = wanted.book
    rows = wanted.visible
    if rows is None:
        rows = book.model._default_manager.all()  # noqa: SLF001 - Django's name for it
    if after:
        rows = rows.filter(pk__gt=after)
    if wanted.since_s is not None:
        rows = rows.filter(**{f"{book.at}__gte": wanted.since_s * book.ticks_per_second})
    if wanted.until_s is not None:
        rows = rows.filter(**{f"{book.at}__lt": wanted.until_s * book.ticks_per_second})
    return rows.order_by("pk")
