"""What was measured of services: the usage of a minute is added to its day once, and stays there.

A minute is added up when it is over for some time: writers add to it behind the calls. What comes
later than that is not in these figures, only in the usage itself.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction

from gateway.domain.chronicle import added
from gateway.models import UsageMinute
from marketplace.models import MeasuredDay, Service, Turn

DAYS = 30
KEPT_DAYS = 92
SETTLED = timedelta(minutes=3)
ROWS_MAX = 5_000
"""Of usage, in one go."""
FORGOTTEN_AT_ONCE = 5_000
TURN = "measure"
Day = tuple[int, date]


@dataclass(slots=True)
class Figures:
    calls: int = 0
    failures: int = 0
    latencies: list[int] = field(default_factory=list)
    probes: int = 0
    answered: int = 0

    def add(self, other: "Figures | MeasuredDay") -> None:
        self.calls += other.calls
        self.failures += other.failures
        self.latencies = added(self.latencies, other.latencies)
        self.probes += other.probes
        self.answered += other.answered


def figures(services: Collection[int], now: datetime) -> Mapping[int, Figures]:
    """Of the last 30 days, this one included."""
    since = now.date() - timedelta(days=DAYS - 1)
    found: dict[int, Figures] = defaultdict(Figures)
    for day in MeasuredDay.objects.filter(service__in=services, day__gte=since):
        found[day.service_id].add(day)
    return found


def add_up(now: datetime) -> set[int] | None:
    """Add a part of the minutes that are over to their days; the services of which there were some.

    None when there are none left.
    """
    with transaction.atomic():
        turn, _ = Turn.objects.select_for_update().get_or_create(name=TURN)
        begin = turn.done_until or _oldest() or now
        until = min(_end(begin), (now - SETTLED).replace(second=0, microsecond=0))
        if until <= begin:
            return None
        found = _of_services(begin, until)
        record(found)
        Turn.objects.filter(pk=TURN).update(done_until=until)
    return {service for service, _ in found}


def record(more: Mapping[Day, Figures]) -> None:
    """Add to days. In a transaction that puts those who add in a row."""
    services = {service for service, _ in more}
    days = {day for _, day in more}
    held = MeasuredDay.objects.select_for_update().order_by("service", "day")
    for row in held.filter(service__in=services, day__in=days):
        if (row.service_id, row.day) in more:
            more[row.service_id, row.day].add(row)
    MeasuredDay.objects.bulk_create(
        [
            MeasuredDay(
                service_id=service,
                day=day,
                calls=sums.calls,
                failures=sums.failures,
                latencies=sums.latencies,
                probes=sums.probes,
                answered=sums.answered,
            )
            for (service, day), sums in sorted(more.items(), key=lambda each: each[0])
        ],
        update_conflicts=True,
        unique_fields=["service", "day"],
        update_fields=["calls", "failures", "latencies", "probes", "answered"],
    )


def forget(now: datetime) -> None:
    """A bounded part of the days that nobody looks at any more."""
    old = MeasuredDay.objects.filter(day__lt=now.date() - timedelta(days=KEPT_DAYS))
    MeasuredDay.objects.filter(pk__in=old.values("pk")[:FORGOTTEN_AT_ONCE]).delete()


def _oldest() -> datetime | None:
    return UsageMinute.objects.order_by("minute").values_list("minute", flat=True).first()


def _end(begin: datetime) -> datetime:
    """So far that there are no more than `ROWS_MAX` rows, and a minute at least."""
    later = UsageMinute.objects.filter(minute__gte=begin).order_by("minute")
    beyond = later.values_list("minute", flat=True)[ROWS_MAX : ROWS_MAX + 1]
    return max(next(iter(beyond), datetime.max.replace(tzinfo=begin.tzinfo)), begin + _MINUTE)


_MINUTE = timedelta(minutes=1)


def _of_services(begin: datetime, until: datetime) -> dict[Day, Figures]:
    rows = list(
        UsageMinute.objects.filter(minute__gte=begin, minute__lt=until, calls__gt=0).values_list(
            "minute", "route", "provider", "calls", "upstream_failures", "latencies"
        )
    )
    known = _services({(route.partition("/")[0], provider) for _, route, provider, *_ in rows})
    found: dict[Day, Figures] = defaultdict(Figures)
    for minute, route, provider, calls, failures, latencies in rows:
        service = known.get((route.partition("/")[0], provider))
        if service is not None:
            found[service, minute.date()].add(Figures(calls, failures, latencies))
    return found


def _services(sold: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """By slug and provider: a slug may have passed to somebody else."""
    slugs: Sequence[str] = sorted({slug for slug, _ in sold})
    rows: Iterable[tuple[str, int, int]] = Service.objects.filter(slug__in=slugs).values_list(
        "slug", "provider", "pk"
    )
    return {(slug, provider): pk for slug, provider, pk in rows}
