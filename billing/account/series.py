"""What a grant did, by the minute, the hour or the day: the tables that charts are drawn from."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from itertools import chain
from typing import Any

from django.db.models import CharField, Count, F, Subquery, Sum
from django.db.models.functions import Cast, Substr

from billing.domain.burning import WINDOW_S, Used
from billing.models import GrantDay, SummedUntil
from gateway.models import UsageMinute

REASONS_MAX = 4  # The most frequent; what is left is added up.
OTHER = "other"


class By(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


STEP: Mapping[By, timedelta] = {
    By.MINUTE: timedelta(minutes=1),
    By.HOUR: timedelta(hours=1),
    By.DAY: timedelta(days=1),
}
POINTS: Mapping[By, int] = {By.MINUTE: 60, By.HOUR: 48, By.DAY: 30}
SUMS = ("calls", "bytes_up", "bytes_down", "credits", "messages", "upstream_failures")

Sums = Mapping[datetime, Mapping[str, int]]
Refused = Mapping[datetime, Counter[str]]
Counted = tuple[datetime, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Point:
    at: datetime
    calls: int
    bytes_up: int
    bytes_down: int
    credits: int
    messages: int
    upstream_failures: int
    refused: tuple[int, ...]  # In the order of the series' reasons.


@dataclass(frozen=True, slots=True)
class Series:
    by: By
    points: tuple[Point, ...]
    reasons: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(point.calls or any(point.refused) for point in self.points)

    @property
    def has_credits(self) -> bool:
        return any(point.credits for point in self.points)


def series(grant_id: str, by: By, *, now_s: float) -> Series:
    """In two queries, however much it was; of minutes in one."""
    last = _beginning(datetime.fromtimestamp(now_s, UTC), by)
    since = last - STEP[by] * (POINTS[by] - 1)
    done, refused = READ[by](grant_id, since)
    names = _names(refused)
    moments = [since + STEP[by] * number for number in range(POINTS[by])]
    return Series(
        by=by,
        points=tuple(_point(at, done.get(at, {}), refused.get(at), names) for at in moments),
        reasons=names,
    )


def used_in(shown: Series, *, now_s: float) -> Used:
    """What a series of minutes says of the time that paces are measured over."""
    since = datetime.fromtimestamp(now_s - WINDOW_S, UTC)
    late = [point for point in shown.points if point.at >= since]
    return Used(
        *(
            sum(getattr(point, name) for point in late)
            for name in ("calls", "bytes_up", "bytes_down", "credits", "messages")
        )
    )


def _by_minute(grant_id: str, since: datetime) -> tuple[Sums, Refused]:
    return _added(_minutes(grant_id, since), By.MINUTE)


def _by_hour(grant_id: str, since: datetime) -> tuple[Sums, Refused]:
    """What is alike of an hour's minutes comes once. SQLite would truncate each in Python."""
    written = Substr(Cast("minute", CharField()), 1, len("2026-11-21 18"))
    rows = UsageMinute.objects.filter(grant=grant_id, minute__gte=since).annotate(hour=written)
    sums = rows.values_list("hour").annotate(*map(Sum, SUMS)).order_by()
    done = {_hour(hour): dict(zip(SUMS, counts, strict=True)) for hour, *counts in sums}
    refused: dict[datetime, Counter[str]] = {}
    alike = rows.exclude(refusals={}).values_list("hour", "refusals").annotate(Count("pk"))
    for hour, reasons, times in alike.order_by():
        counted = {reason: count * times for reason, count in reasons.items()}
        refused.setdefault(_hour(hour), Counter()).update(counted)
    return done, refused


def _hour(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def _by_day(grant_id: str, since: datetime) -> tuple[Sums, Refused]:
    """From the days that workers sum up, and from minutes what is in none of them yet.

    One statement reads days and how far they go, so that no minute is in both or in neither.
    """
    names = [name for name in SUMS if name != "upstream_failures"]
    days = GrantDay.objects.filter(grant=grant_id, day__gte=since.date()).values(
        *names,
        "day",
        "refusals",
        upstream_failures=F("failures"),
        mark=Subquery(SummedUntil.objects.values("minute")[:1]),
    )
    counted = [(datetime.combine(row["day"], time(), UTC), row) for row in days]
    unsummed_since = max([since, *(row["mark"] for row in days if row["mark"])])
    return _added(chain(counted, _minutes(grant_id, unsummed_since)), By.DAY)


READ: Mapping[By, Callable[[str, datetime], tuple[Sums, Refused]]] = {
    By.MINUTE: _by_minute,
    By.HOUR: _by_hour,
    By.DAY: _by_day,
}


def _minutes(grant_id: str, since: datetime) -> Iterator[Counted]:
    rows = UsageMinute.objects.filter(grant=grant_id, minute__gte=since)
    return ((row["minute"], row) for row in rows.values(*SUMS, "minute", "refusals"))


def _added(counted: Iterable[Counted], by: By) -> tuple[Sums, Refused]:
    """Several may be of one moment: a grant is used on a route that changed hands, too."""
    done: dict[datetime, Counter[str]] = {}
    refused: dict[datetime, Counter[str]] = {}
    for moment, row in counted:
        at = _beginning(moment, by)
        done.setdefault(at, Counter()).update({name: row[name] for name in SUMS})
        if row["refusals"]:
            refused.setdefault(at, Counter()).update(row["refusals"])
    return done, refused


def _names(refused: Refused) -> tuple[str, ...]:
    total: Counter[str] = Counter()
    for counted in refused.values():
        total.update(counted)
    names = [name for name, _ in total.most_common(REASONS_MAX)]
    return (*names, OTHER) if len(total) > REASONS_MAX else tuple(names)


def _point(
    at: datetime, sums: Mapping[str, int], refused: Counter[str] | None, names: tuple[str, ...]
) -> Point:
    counted = refused or Counter[str]()
    named = {name: counted[name] for name in names if name != OTHER}
    if OTHER in names:
        named[OTHER] = counted.total() - sum(named.values())
    whole = {name: sums.get(name, 0) for name in SUMS}
    return Point(at=at, **whole, refused=tuple(named[name] for name in names))


def _beginning(at: datetime, by: By) -> datetime:
    whole = at.replace(second=0, microsecond=0)
    if by is By.MINUTE:
        return whole
    return whole.replace(minute=0) if by is By.HOUR else whole.replace(minute=0, hour=0)
