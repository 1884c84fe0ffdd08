"""What was measured of one service, as its page tells it: with the method and the sample's size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from marketplace.cards import show_latency, show_share
from marketplace.domain import reckoning, standings
from marketplace.domain.reckoning import Health
from marketplace.measuring import DAYS, Figures
from marketplace.models import MeasuredDay, Service

BAR_DAYS = 90
BAR_WIDTH, BAR_STEP, BAR_HEIGHT = 6, 8, 32


@dataclass(frozen=True, slots=True)
class Bar:
    """One day, as a bar of a drawing."""

    day: date
    health: Health
    uptime: str
    """Empty where nobody probed."""
    x: int


@dataclass(frozen=True, slots=True)
class Record:
    """Shares and times are None where there were too few samples to say one."""

    calls: int
    success: str | None
    half_within: str | None
    most_within: str | None
    probes: int
    uptime: str | None
    bars: Sequence[Bar]
    width: int = BAR_DAYS * BAR_STEP - (BAR_STEP - BAR_WIDTH)
    height: int = BAR_HEIGHT
    days: int = DAYS
    samples_min: int = standings.SAMPLES_MIN

    @property
    def calls_said(self) -> str:
        return f"{self.calls:,}"

    @property
    def probes_said(self) -> str:
        return f"{self.probes:,}"

    @property
    def days_up(self) -> int:
        return sum(bar.health is Health.UP for bar in self.bars)

    @property
    def days_probed(self) -> int:
        return sum(bar.health is not Health.UNKNOWN for bar in self.bars)


def record(service: Service, now: datetime) -> Record:
    today = now.date()
    since = today - timedelta(days=BAR_DAYS - 1)
    days = {row.day: row for row in MeasuredDay.objects.filter(service=service, day__gte=since)}
    recent, all_ = Figures(), Figures()
    for day, row in days.items():
        all_.add(row)
        if day > today - timedelta(days=DAYS):
            recent.add(row)
    half = reckoning.within_ms(recent.latencies, 50)
    most = reckoning.within_ms(recent.latencies, 95)
    return Record(
        calls=recent.calls,
        success=show_share(standings.share(recent.calls - recent.failures, recent.calls)),
        half_within=None if half is None else show_latency(half),
        most_within=None if most is None else show_latency(most),
        probes=all_.probes,
        uptime=show_share(standings.share(all_.answered, all_.probes)),
        bars=[
            _bar(since + timedelta(days=place), days, place * BAR_STEP) for place in range(BAR_DAYS)
        ],
    )


def _bar(day: date, days: dict[date, MeasuredDay], x: int) -> Bar:
    row = days.get(day)
    if row is None or not row.probes:
        return Bar(day, Health.UNKNOWN, "", x)
    uptime = f"{row.answered * 100 / row.probes:.1f} %"
    return Bar(day, reckoning.health(row.answered, row.probes), uptime, x)
