"""Usage rows: written in batches behind the requests, by several nodes at once, each batch once.

A batch names its writer and its number, and the writer's row goes forward in the same transaction:
a batch whose answer was lost is written again and changes nothing. Writers take turns, and write
the sum of what they read and what they bring.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from django.db import DataError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Model, QuerySet, Window
from django.db.models.functions import RowNumber

from gateway.chronicle import Entry, Unwritable
from gateway.domain.chronicle import MINUTE_S, RECENT_MAX, Call, Key, Line, added, summed
from gateway.ledgers.connecting import own_connection, translated
from gateway.models import RecentCall, UsageMinute, UsageWriter

SUMS = ("calls", "bytes_up", "bytes_down", "credits", "messages", "upstream_failures")
FORGOTTEN_AT_ONCE = 5_000
"""Rows; nobody else may have to wait for longer."""
PATH_MAX, METHOD_MAX = 200, 32

LOCK = 0x41505553  # PostgreSQL's advisory locks are numbers; this one is ours.
NOTHING = UsageMinute(latencies=[], refusals={})

RowKey = tuple[datetime, str, str, int]
M = TypeVar("M", bound=Model)


class Books:
    """The chronicle's writer; every method is called from one thread, whose connection it is."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()

    @cached_property
    def _connection(self) -> BaseDatabaseWrapper:
        return own_connection()

    def write(self, number: int, entries: Sequence[Entry]) -> None:
        """Raises LedgerUnavailable: it may be in, or not; write it again under its number."""
        with translated(self._connection):
            try:
                with transaction.atomic():
                    _take_turns(self._connection)
                    if self._is_new(number):
                        _add(entries)
                        _remember(entries)
            except (DataError, IntegrityError) as exc:
                raise Unwritable from exc

    def _is_new(self, number: int) -> bool:
        now = datetime.now(UTC)
        own = UsageWriter.objects.filter(pk=self.id)
        if own.filter(batch__lt=number).update(batch=number, written_at=now):
            return True
        _, created = own.get_or_create(id=self.id, defaults={"batch": number, "written_at": now})
        return created

    def close(self) -> None:
        self._connection.close()


def _add(entries: Sequence[Entry]) -> None:
    lines = {_row_key(entry.key): entry.line for entry in entries}
    found = UsageMinute.objects.filter(
        minute__in={minute for minute, _, _, _ in lines},
        grant__in={grant for _, grant, _, _ in lines},
        route__in={route for _, _, route, _ in lines},
    )
    held = {(row.minute, row.grant, row.route, row.provider): row for row in found}
    UsageMinute.objects.bulk_create(
        [_row(key, held.get(key, NOTHING), line) for key, line in lines.items()],
        update_conflicts=True,
        unique_fields=["minute", "grant", "route", "provider"],
        update_fields=[*SUMS, "latencies", "refusals"],
    )


def _take_turns(connection: BaseDatabaseWrapper) -> None:
    """Writers come one after the other: each adds to what it has read."""
    if connection.vendor == "postgresql":  # SQLite's BEGIN IMMEDIATE did so already.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _row(key: RowKey, before: UsageMinute, line: Line) -> UsageMinute:
    minute, grant, route, provider = key
    return UsageMinute(
        minute=minute,
        grant=grant,
        route=route,
        provider=provider,
        latencies=added(before.latencies, line.latencies),
        refusals=summed(before.refusals, line.refusals),
        **{name: getattr(before, name) + getattr(line, name) for name in SUMS},
    )


def _row_key(key: Key) -> RowKey:
    return _moment(key.minute * MINUTE_S), key.grant_id, key.route_id, key.provider


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _remember(entries: Sequence[Entry]) -> None:
    calls = [
        _recent(entry.key, call)
        for entry in sorted(entries, key=lambda entry: entry.key)
        for call in entry.recent
    ]
    if not calls:
        return
    RecentCall.objects.bulk_create(calls)
    newest_first = Window(RowNumber(), partition_by=F("grant"), order_by=F("id").desc())
    ranked = RecentCall.objects.filter(grant__in={call.grant for call in calls})
    older = ranked.annotate(rank=newest_first).filter(rank__gt=RECENT_MAX)
    RecentCall.objects.filter(pk__in=older.values("pk")).delete()


def _recent(key: Key, call: Call) -> RecentCall:
    seconds = call.answered_in_s
    return RecentCall(
        grant=key.grant_id,
        route=key.route_id,
        provider=key.provider,
        at=_moment(call.at_s),
        method=call.method[:METHOD_MAX],
        path=call.path[:PATH_MAX],
        status=call.status,
        end=str(call.end),
        bytes_up=call.bytes_up,
        bytes_down=call.bytes_down,
        credits=call.credits,
        messages=call.messages,
        answered_in_ms=None if seconds is None else int(seconds * 1_000),
        token=call.token or "",
    )


def forget(before: datetime) -> int:
    """Delete a bounded part of what is older, and say how many rows it was."""
    return (
        _forget(UsageMinute.objects.filter(minute__lt=before), "minute")
        + _forget(RecentCall.objects.filter(at__lt=before), "at")
        + _forget(UsageWriter.objects.filter(written_at__lt=before), "written_at")
    )


def _forget(rows: "QuerySet[M]", oldest_first: str) -> int:
    some = rows.order_by(oldest_first).values("pk")[:FORGOTTEN_AT_ONCE]
    deleted, _ = rows.model._default_manager.filter(pk__in=some).delete()  # noqa: SLF001
    return deleted
