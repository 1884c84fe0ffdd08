"""What a grant did, by the minute, the hour or the day: the tables that charts are drawn from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDay, TruncHour

from billing.domain.burning import WINDOW_S, Used
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
TRUNCATED = {By.HOUR: TruncHour, By.DAY: TruncDay}
SUMS = ("calls", "bytes_up", "bytes_down", "credits", "messages", "upstream_failures")

Sums = Mapping[datetime, Mapping[str, int]]
Refused = Mapping[datetime, Counter[str]]


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
    rows = UsageMinute.objects.filter(grant=grant_id, minute__gte=since)
    done, refused = _by_minute(rows) if by is By.MINUTE else _by(rows, by)
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


def _by_minute(rows: QuerySet[UsageMinute]) -> tuple[Sums, Refused]:
    done: dict[datetime, Counter[str]] = {}
    refused: dict[datetime, Counter[str]] = {}
    for row in rows:  # Several, where a grant was used on a route that changed hands.
        at = _beginning(row.minute, By.MINUTE)
        done.setdefault(at, Counter()).update({name: getattr(row, name) for name in SUMS})
        if row.refusals:
            refused.setdefault(at, Counter()).update(row.refusals)
    return done, refused


def _by(rows: QuerySet[UsageMinute], by: By) -> tuple[Sums, Refused]:
    moment = TRUNCATED[by]("minute", tzinfo=UTC)
    sums = rows.annotate(at=moment).values_list("at").annotate(*map(Sum, SUMS)).order_by()
    done = {at: dict(zip(SUMS, counts, strict=True)) for at, *counts in sums}
    refused: dict[datetime, Counter[str]] = {}
    for at, reasons in rows.exclude(refusals={}).values_list("minute", "refusals"):
        refused.setdefault(_beginning(at, by), Counter()).update(reasons)
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
