"""What an upstream books to a grant beside its calls: credits given, or taken.

A booking is a row with a key, so that saying it again books nothing. Credits given raise the
limiter's `limit`. Credits taken go to `used` as far as the row is free, and the rest to `due`: that
is out on lease, every node is asked for what it has not spent, and the next transactions on the row
take it from there. What no lease brings back stays due, and with it nothing is left of the grant.

Of the current window, where the credits renew.
"""

import logging
import time
from dataclasses import dataclass
from functools import cached_property

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Sum

from gateway.domain.limits import Credits, parse_limits, window_number
from gateway.domain.units import INTEGER_MAX
from gateway.ledgers.connecting import own_connection, translated
from gateway.ledgers.recalls import tell
from gateway.models import Booking, GrantLedger, Lease, LimiterLedger

LATELY_S = 60.0  # Streams that run on longer have been told of it many times.

logger = logging.getLogger(__name__)


class NoCredits(Exception):
    """The grant has no credits that could be booked."""


class OtherBooking(Exception):
    """This key was used for another number of credits."""


class UnknownGrant(Exception):
    """There is no ledger for this grant."""


@dataclass(frozen=True, slots=True)
class Booked:
    credits: int
    refused: bool
    is_new: bool


def consume(grant_id: str, key: str, credits: int) -> Booked:  # noqa: A002 - the protocol's word
    """Take what a running stream cost beyond its call."""
    return _book(grant_id, key, -credits, source=Booking.Source.CONSUME, may_take=True)


def adjust(grant_id: str, key: str, credits: int, *, may_take: bool) -> Booked:  # noqa: A002
    """Give, or take. Unless the grant is sold as adjustable never below what was sold."""
    return _book(grant_id, key, credits, source=Booking.Source.ADJUST, may_take=may_take)


@transaction.atomic
def _book(
    grant_id: str,
    key: str,
    credits: int,  # noqa: A002
    *,
    source: Booking.Source,
    may_take: bool,
) -> Booked:
    # The grant's row is the lock of its bookings.
    grant = GrantLedger.objects.select_for_update(no_key=True).filter(pk=grant_id).first()
    if grant is None:
        raise UnknownGrant(grant_id)
    if (known := grant.bookings.filter(source=source, key=key).first()) is not None:
        if known.credits != credits:
            raise OtherBooking(key)
        return Booked(credits, known.refused, is_new=False)
    now_s = time.time()
    limiters = _credits_of(grant, now_s)
    if not limiters:
        raise NoCredits(grant_id)
    refused = credits < 0 and not may_take and _given(grant) + credits < 0
    Booking.objects.create(
        grant=grant, key=key, source=source, credits=credits, refused=refused, booked_at=now_s
    )
    if refused:
        logger.warning("Refused to take %d credits of grant %s: sold.", -credits, grant_id)
    else:
        for limiter in limiters:
            _apply(limiter, credits, now_s)
        tell(connection)
    return Booked(credits, refused, is_new=True)


def _given(grant: GrantLedger) -> int:
    adjusted = grant.bookings.filter(source=Booking.Source.ADJUST, refused=False)
    total = adjusted.aggregate(total=Sum("credits"))["total"]
    return int(total or 0)


def _credits_of(grant: GrantLedger, now_s: float) -> list[LimiterLedger]:
    """The rows of the windows that are now, locked."""
    ids = []
    for index, limit in enumerate(parse_limits(grant.limits)):
        if isinstance(limit, Credits):
            row, _ = LimiterLedger.objects.get_or_create(
                grant=grant,
                index=index,
                window=_window(grant, limit, now_s),
                defaults={"kind": limit.kind, "limit": limit.total},
            )
            ids.append(row.pk)
    locked = LimiterLedger.objects.select_for_update(no_key=True).filter(pk__in=ids)
    return list(locked.order_by("pk"))


def _window(grant: GrantLedger, limit: Credits, now_s: float) -> int:
    start_s = grant.not_before if grant.first_used_at is None else grant.first_used_at
    return window_number(start_s=start_s, window_seconds=limit.window_seconds, now_s=now_s)


def run_out(now_s: float) -> frozenset[str]:
    """Grants of which nothing is left since an upstream took from them, not long ago.

    While a node has not answered a recall it may still hold something: then nothing is known.
    """
    since_s = now_s - LATELY_S
    taken = Booking.objects.filter(booked_at__gt=since_s, credits__lt=0, refused=False)
    if not (grant_ids := set(taken.values_list("grant_id", flat=True))):
        return frozenset()
    spent = LimiterLedger.objects.filter(grant_id__in=grant_ids, kind=Credits.kind)
    spent = spent.filter(used__gte=F("limit") - F("due")).select_related("grant")
    asked = Lease.objects.filter(limiter__grant_id__in=grant_ids, answered__lt=F("limiter__recall"))
    unanswered = set(asked.values_list("limiter_id", flat=True))
    return frozenset(
        row.grant_id for row in spent if row.pk not in unanswered and _is_current(row, now_s)
    )


def _is_current(row: LimiterLedger, now_s: float) -> bool:
    limit = parse_limits(row.grant.limits)[row.index]
    return isinstance(limit, Credits) and row.window == _window(row.grant, limit, now_s)


def _apply(limiter: LimiterLedger, credits: int, now_s: float) -> None:  # noqa: A002
    if credits > 0:
        limiter.limit = min(limiter.limit + credits, INTEGER_MAX)
    else:
        limiter.due = min(limiter.due - credits, INTEGER_MAX)
    taken = min(limiter.due, limiter.limit - limiter.used)
    limiter.used += taken
    limiter.due -= taken
    limiter.recall += 1
    limiter.recalled_at = now_s
    limiter.save(update_fields=["limit", "used", "due", "recall", "recalled_at"])


class Bookings:
    """For the gate: every method is called from one thread, whose connection it is."""

    @cached_property
    def _connection(self) -> BaseDatabaseWrapper:
        return own_connection()

    def adjust(self, grant_id: str, key: str, credits: int, *, may_take: bool) -> bool:  # noqa: A002
        """Whether it is booked. Raises LedgerUnavailable."""
        with translated(self._connection):
            try:
                return not adjust(grant_id, key, credits, may_take=may_take).refused
            except (NoCredits, UnknownGrant):
                logger.warning("An upstream adjusted grant %s, which has no credits.", grant_id)
                return False

    def note_clamped(self, grant_id: str, calls: int) -> None:
        with translated(self._connection):
            GrantLedger.objects.filter(pk=grant_id).update(clamped=F("clamped") + calls)

    def close(self) -> None:
        self._connection.close()
