"""Usage by the minute becomes usage by the day, each minute once, when nobody adds to it any more.

One at a time: the mark's row is locked. A node writes a minute at most a few seconds after it is
over; what comes later than `SETTLED` is missing here, and in the usage itself only.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import transaction

from billing.models import GrantDay, Purchase, RouteDay, SummedUntil
from gateway.domain.chronicle import added, summed
from gateway.models import UsageMinute

Key = TypeVar("Key", tuple[int, str, date], tuple[str, str, date])
Row = TypeVar("Row", RouteDay, GrantDay)
SETTLED = timedelta(minutes=2)
ROWS_AT_ONCE = 20_000
ROUNDS = 10
KEPT = timedelta(days=400)
FORGOTTEN_AT_ONCE = 5_000
SUMS = ("calls", "bytes_up", "bytes_down", "credits", "messages")
FIELDS: tuple[str, ...] = ("minute", "provider", "route", "grant", *SUMS, "upstream_failures")
FIELDS += ("latencies", "refusals")


class Used(NamedTuple):
    minute: datetime
    provider: int
    route: str
    grant: str
    calls: int
    bytes_up: int
    bytes_down: int
    credits: int
    messages: int
    failures: int
    latencies: list[int]
    refusals: dict[str, int]

    @property
    def day(self) -> date:
        return self.minute.astimezone(UTC).date()


def sum_up(now: datetime) -> None:
    """As far as it goes, a bounded part at a time."""
    for _ in range(ROUNDS):
        if not _next_part(now):
            return


def unsummed(provider: int, most: int) -> list[Used]:
    """What is not in the days yet: in one query, however far those are."""
    marks = SummedUntil.objects.values("minute")[:1]
    rows = UsageMinute.objects.filter(provider=provider, minute__gte=marks)
    return [Used._make(row) for row in rows.order_by("-minute").values_list(*FIELDS)[:most]]


@transaction.atomic
def _next_part(now: datetime) -> bool:
    mark, _ = SummedUntil.objects.select_for_update().get_or_create(pk=1)
    begin = mark.minute or _oldest()
    settled = (now - SETTLED).replace(second=0, microsecond=0)
    if begin is None or begin >= settled:
        if mark.minute is None:
            SummedUntil.objects.filter(pk=1).update(minute=settled)
        return False
    until = min(settled, _end(begin))
    rows = UsageMinute.objects.filter(minute__gte=begin, minute__lt=until).exclude(provider=0)
    used = [Used._make(row) for row in rows.values_list(*FIELDS)]
    _add_to_routes(used)
    _add_to_grants([each for each in used if each.grant])
    SummedUntil.objects.filter(pk=1).update(minute=until)
    return until < settled


def _oldest() -> datetime | None:
    return UsageMinute.objects.order_by("minute").values_list("minute", flat=True).first()


def _end(begin: datetime) -> datetime:
    later = UsageMinute.objects.filter(minute__gte=begin).order_by("minute")
    beyond = later.values_list("minute", flat=True)[ROWS_AT_ONCE : ROWS_AT_ONCE + 1]
    far = next(iter(beyond), datetime.max.replace(tzinfo=UTC))
    return max(far, begin + timedelta(minutes=1))


def _add_to_routes(used: Sequence[Used]) -> None:
    known = RouteDay.objects.filter(
        provider__in={each.provider for each in used},
        route__in={each.route for each in used},
        day__in={each.day for each in used},
    )
    rows = {(row.provider, row.route, row.day): row for row in known}
    for each in used:
        key = (each.provider, each.route, each.day)
        row = rows.get(key) or RouteDay(provider=each.provider, route=each.route, day=each.day)
        rows[key] = row
        add(row, each)
    RouteDay.objects.bulk_create(
        in_order(rows),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["provider", "day", "route"],
        update_fields=["calls", "failures", "bytes_up", "bytes_down", "latencies", "refusals"],
    )


def in_order(rows: Mapping[Key, Row]) -> list[Row]:
    """Whoever locks several of these rows does so in the order of their keys."""
    return [row for _, row in sorted(rows.items(), key=lambda each: each[0])]


def add(row: RouteDay, used: Used) -> None:
    row.calls += used.calls
    row.failures += used.failures
    row.bytes_up += used.bytes_up
    row.bytes_down += used.bytes_down
    row.latencies = added(row.latencies, used.latencies)
    row.refusals = summed(row.refusals, used.refusals)


def _add_to_grants(used: Sequence[Used]) -> None:
    grants = {each.grant for each in used}
    known = GrantDay.objects.filter(grant__in=grants, day__in={each.day for each in used})
    rows = {(row.grant, row.route, row.day): row for row in known}
    buyers = _buyers(grants)
    for each in used:
        row = rows.setdefault(
            (each.grant, each.route, each.day),
            GrantDay(grant=each.grant, route=each.route, day=each.day, provider=each.provider),
        )
        row.buyer = buyers.get(each.grant, "")
        for name in SUMS:
            setattr(row, name, getattr(row, name) + getattr(each, name))
        row.failures += each.failures
        row.refused += sum(each.refusals.values())
        row.refusals = summed(row.refusals, each.refusals)
        row.minutes += 1
        row.peak = max(row.peak, each.calls)
    GrantDay.objects.bulk_create(
        in_order(rows),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["grant", "route", "day"],
        update_fields=["buyer", *SUMS, "failures", "refused", "refusals", "minutes", "peak"],
    )


def _buyers(grants: Collection[str]) -> dict[str, str]:
    return dict(Purchase.objects.filter(pk__in=grants).values_list("pk", "buyer"))


def forget(now: datetime) -> None:
    """Beyond what any page shows."""
    gone = (now - KEPT).date()
    routes = RouteDay.objects.filter(day__lt=gone).values("pk")[:FORGOTTEN_AT_ONCE]
    RouteDay.objects.filter(pk__in=routes).delete()
    grants = GrantDay.objects.filter(day__lt=gone).values("pk")[:FORGOTTEN_AT_ONCE]
    GrantDay.objects.filter(pk__in=grants).delete()
