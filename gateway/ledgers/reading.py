"""What is left of a grant, or of some, for pages and the API.

Exact where it can be: what a node of this machine leased but has not spent is read from its journal
and counts as left. What a node of another machine holds counts as used until it comes back, which
takes a second without traffic.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.limits import (
    NO_WINDOW,
    Limit,
    is_quota,
    parse_limits,
    window_end_s,
    window_number,
)
from gateway.journal import boot_id, peek
from gateway.models import GrantLedger, Lease, LimiterLedger


@dataclass(frozen=True, slots=True)
class LimitUsage:
    limit: Limit
    used: int | None  # None for what refills by itself: no row counts it.
    left: int | None
    renews_at_s: float | None


@dataclass(frozen=True, slots=True)
class LastEnd:
    reason: str
    at_s: float


@dataclass(frozen=True, slots=True)
class GrantUsage:
    grant_id: str
    route: str
    limits: tuple[LimitUsage, ...]
    first_used_at_s: float | None
    ends_at_s: float
    last_end: LastEnd | None


def usage_of(grant_id: str, now_s: float) -> GrantUsage | None:
    """None where the grant has no ledger."""
    return usages_of([grant_id], now_s).get(grant_id)


def usages_of(grant_ids: Iterable[str], now_s: float) -> dict[str, GrantUsage]:
    """Of as many grants as a page shows, in three queries; those without a ledger are left out."""
    ledgers = GrantLedger.objects.in_bulk(list(grant_ids))
    limits = {pk: parse_limits(ledger.limits) for pk, ledger in ledgers.items()}
    windows = {
        (pk, index): _window(ledger, limit, now_s)
        for pk, ledger in ledgers.items()
        for index, limit in enumerate(limits[pk])
    }
    rows = LimiterLedger.objects.filter(grant__in=ledgers, window__in=set(windows.values()))
    current = {
        (row.grant_id, row.index): row
        for row in rows
        if row.window == windows[row.grant_id, row.index]
    }
    unspent = _unspent(row.pk for row in current.values())
    return {
        pk: GrantUsage(
            grant_id=pk,
            route=ledger.route,
            limits=tuple(
                _usage(
                    limit,
                    current.get((pk, index)),
                    unspent,
                    _renews_at_s(ledger, limit, windows[pk, index]),
                )
                for index, limit in enumerate(limits[pk])
            ),
            first_used_at_s=ledger.first_used_at,
            ends_at_s=_ends_at_s(ledger),
            last_end=_last_end(ledger),
        )
        for pk, ledger in ledgers.items()
    }


def _start_s(ledger: GrantLedger) -> float:
    return ledger.not_before if ledger.first_used_at is None else ledger.first_used_at


def _ends_at_s(ledger: GrantLedger) -> float:
    if ledger.first_used_at is None or ledger.access_seconds is None:
        return ledger.expires_at
    return min(ledger.expires_at, ledger.first_used_at + ledger.access_seconds)


def _last_end(ledger: GrantLedger) -> LastEnd | None:
    if ledger.last_end_at is None:
        return None
    return LastEnd(ledger.last_end_reason, ledger.last_end_at)


def _window(ledger: GrantLedger, limit: Limit, now_s: float) -> int:
    if not is_quota(limit):
        return NO_WINDOW
    return window_number(start_s=_start_s(ledger), window_seconds=limit.window_seconds, now_s=now_s)


def _renews_at_s(ledger: GrantLedger, limit: Limit, window: int) -> float | None:
    if not is_quota(limit):
        return None
    end_s = window_end_s(
        start_s=_start_s(ledger), window_seconds=limit.window_seconds, number=window
    )
    return None if math.isinf(end_s) else end_s


def _usage(
    limit: Limit, row: LimiterLedger | None, unspent: dict[int, int], renews_at_s: float | None
) -> LimitUsage:
    """A window in which nothing was used yet has no row."""
    if not is_quota(limit):
        return LimitUsage(limit, None, None, None)
    if row is None:
        return LimitUsage(limit, 0, limit.total, renews_at_s)
    # What the upstream gave is left beside what was sold; what it booked is used at once.
    used = min(row.limit, row.used + row.due - unspent.get(row.pk, 0))
    return LimitUsage(limit, used, row.limit - used, renews_at_s)


def _unspent(limiters: Iterable[int]) -> dict[int, int]:
    boot = boot_id()
    leases = Lease.objects.filter(limiter_id__in=list(limiters), node__boot_id=boot)
    unspent: dict[int, int] = {}
    for lease in leases.select_related("node"):
        spent = peek(Path(lease.node.journal), lease.node_id, boot, lease.slot)
        if spent is not None:
            rest = max(0, lease.amount - spent)
            unspent[lease.limiter_id] = unspent.get(lease.limiter_id, 0) + rest
    return unspent
