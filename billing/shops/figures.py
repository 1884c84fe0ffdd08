"""The figures of one shop in so many days, in a handful of queries whatever it sold.

A purchase belongs to the shop whose route it names. Assets are never added to each other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Concat
from django.utils.crypto import salted_hmac

from billing.domain import shops
from billing.domain.purchases import State
from billing.models import GrantDay, Purchase, RouteDay
from billing.shops import earning, summing
from gateway.domain.chronicle import added
from gateway.models import Revocation
from marketplace.domain import plans
from marketplace.models import Provider, Route

DAY_S = 86_400
Purchases = QuerySet[Purchase]
CONSUMERS_MAX = PLANS_MAX = 8
UNSUMMED_MAX = 5_000
CENT = plans.UNIT // 100
GRANTED = Q(state=State.GRANTED)


@dataclass(slots=True)
class Day:
    """What was called and refused on a day, or on all of them."""

    at: datetime
    calls: int = 0
    failures: int = 0
    latencies: list[int] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, row: RouteDay) -> None:
        self.calls += row.calls
        self.failures += row.failures
        self.latencies = added(self.latencies, row.latencies)
        self.refusals.update(row.refusals)

    @property
    def errors(self) -> str:
        return shops.percent(self.failures, self.calls)

    @property
    def p95(self) -> str:
        return shops.p95_words(self.latencies)

    @property
    def p95_ms(self) -> int | None:
        return shops.within_ms(self.latencies, shops.P95) if sum(self.latencies) else None

    @property
    def refused(self) -> int:
        return self.refusals.total()


class Row(NamedTuple):
    """Purchases of one plan on one day in one asset."""

    day: int
    asset_code: str
    route: str
    plan: str | None
    asked: int
    signed: int
    sold: int
    used: int
    paid: int | None
    earned: float | None


class PlanSold(NamedTuple):
    plan: str
    route: str
    purchases: int
    total: str


@dataclass(frozen=True, slots=True)
class Sold:
    """In one asset."""

    asset: str
    total: str
    purchases: int
    days: tuple[tuple[datetime, str], ...]
    plans: tuple[PlanSold, ...]


@dataclass(frozen=True, slots=True)
class Buyers:
    all: int
    new: int
    again: int
    active_grants: int
    ended: int
    """Those of whom a pass that was paid for ended in this time,"""
    left: int
    """and who hold none that goes on."""

    @property
    def repeat_rate(self) -> str:
        return shops.percent(self.again, self.all)

    @property
    def churn(self) -> str:
        return shops.percent(self.left, self.ended)


@dataclass(frozen=True, slots=True)
class Funnel:
    """Who buys by a program asks without a look at the page."""

    viewed: int
    asked: int
    signed: int
    granted: int
    called: int

    @property
    def most(self) -> int:
        return max(self.viewed, self.asked, 1)


@dataclass(frozen=True, slots=True)
class Consumer:
    name: str
    grants: int
    calls: int
    refused: int


@dataclass(frozen=True, slots=True)
class Health:
    service: str
    calls: int
    errors: str
    p95: str
    level: str


@dataclass(frozen=True, slots=True)
class Figures:
    days: int
    sold: tuple[Sold, ...]
    earned: tuple[tuple[str, str], ...]
    buyers: Buyers
    funnel: Funnel
    whole: Day
    by_day: tuple[Day, ...]
    consumers: tuple[Consumer, ...]
    health: tuple[Health, ...]

    @property
    def is_empty(self) -> bool:
        return (
            not (self.funnel.asked or self.funnel.viewed)
            and not self.whole.calls
            and not self.whole.refused
        )


def figures(provider: Provider, days: int, now: datetime) -> Figures:
    today = now.astimezone(UTC).date()
    since = today - timedelta(days=days - 1)
    since_s = int(_moment(since).timestamp())
    whole_name = Concat("service__slug", Value("/"), "slug")
    routes = Route.objects.filter(service__provider=provider).annotate(whole_name=whole_name)
    bought = Purchase.objects.filter(route__in=routes.order_by().values("whole_name"))
    rows = _route_days(provider, since)
    by_day = {
        since + timedelta(days=n): Day(_moment(since + timedelta(days=n))) for n in range(days)
    }
    whole = Day(_moment(since))
    for row in rows:
        whole.add(row)
        if row.day in by_day:
            by_day[row.day].add(row)
    known = _purchases(bought, since_s, now)
    lately = [row for row in known if row.day * DAY_S >= since_s]
    return Figures(
        days=days,
        sold=tuple(_sold(lately, by_day)),
        earned=tuple(_earned(known)),
        buyers=_buyers(bought, since_s, int(now.timestamp())),
        funnel=_funnel(lately, sum(row.views for row in rows)),
        whole=whole,
        by_day=tuple(by_day.values()),
        consumers=tuple(_consumers(provider, since)),
        health=tuple(_health(rows, today)),
    )


def pseudonym(provider: Provider, buyer: str) -> str:
    """The same buyer is the same name to one provider, and another to the next."""
    return salted_hmac(f"buyer of {provider.pk}", buyer).hexdigest()[:8].upper()


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _route_days(provider: Provider, since: date) -> list[RouteDay]:
    rows = {
        (row.route, row.day): row
        for row in RouteDay.objects.filter(provider=provider.pk, day__gte=since)
    }
    for used in summing.unsummed(provider.pk, UNSUMMED_MAX):
        if used.day >= since:
            row = rows.setdefault((used.route, used.day), RouteDay(route=used.route, day=used.day))
            summing.add(row, used)
    return list(rows.values())


def _purchases(bought: Purchases, since_s: int, now: datetime) -> list[Row]:
    """By day and plan: how far they came, and what was paid. Earlier ones for what they earn."""
    called = Exists(GrantDay.objects.filter(grant=OuterRef("pk")))
    rows = (
        bought.filter(Q(created_at_s__gte=since_s) | earning.running(now))
        .annotate(
            day=F("created_at_s") / DAY_S, called=called, plan=KeyTextTransform("name", "quote")
        )
        .values("day", "asset_code", "route", "plan")
        .annotate(
            asked=Count("pk"),
            signed=Count("pk", filter=Q(authorized_at_s__isnull=False)),
            sold=Count("pk", filter=GRANTED),
            used=Count("pk", filter=GRANTED & Q(called=True)),
            paid=Sum("amount", filter=GRANTED),
            earned=earning.earned(now),
        )
        .order_by("asset_code", "day")
    )
    return [Row(**row) for row in rows]


def _sold(rows: list[Row], by_day: Mapping[date, Day]) -> Iterable[Sold]:
    for asset in dict.fromkeys(row.asset_code for row in rows if row.paid):
        own = [row for row in rows if row.asset_code == asset]
        paid: Counter[int] = Counter()
        for row in own:
            paid[row.day] += row.paid or 0
        days = tuple(
            (day.at, plans.show_amount(paid[int(day.at.timestamp()) // DAY_S]))
            for day in by_day.values()
        )
        total = plans.show_amount(sum(paid.values()))
        yield Sold(asset, total, sum(row.sold for row in own), days, tuple(_plans(own)))


def _earned(rows: list[Row]) -> Iterable[tuple[str, str]]:
    sums: dict[str, float] = {}
    for row in rows:
        if row.earned:
            sums[row.asset_code] = sums.get(row.asset_code, 0.0) + row.earned
    cents = ((asset, int(sum_) // CENT * CENT) for asset, sum_ in sums.items())
    return ((asset, plans.show_amount(amount)) for asset, amount in cents)


def _plans(rows: list[Row]) -> list[PlanSold]:
    """Those that brought most."""
    paid: Counter[tuple[str, str]] = Counter()
    count: Counter[tuple[str, str]] = Counter()
    for row in rows:
        paid[row.plan or "", row.route] += row.paid or 0
        count[row.plan or "", row.route] += row.sold
    return [
        PlanSold(*key, count[key], plans.show_amount(sum_))
        for key, sum_ in paid.most_common(PLANS_MAX)
        if sum_
    ]


def _funnel(rows: list[Row], viewed: int) -> Funnel:
    return Funnel(
        viewed=viewed,
        asked=sum(row.asked for row in rows),
        signed=sum(row.signed for row in rows),
        granted=sum(row.sold for row in rows),
        called=sum(row.used for row in rows),
    )


def _buyers(bought: Purchases, since_s: int, now_s: int) -> Buyers:
    ended = Exists(Revocation.objects.filter(grant=OuterRef("pk"), token=""))
    runs = Q(granted__expires_at_s__gt=now_s, ended=False)
    over = Q(granted__expires_at_s__gt=since_s, granted__expires_at_s__lte=now_s, amount__gt=0)
    each = (
        bought.filter(GRANTED)
        .annotate(ended=ended)
        .values("buyer")
        .annotate(
            count=Count("pk"),
            first=Min("created_at_s"),
            running=Count("pk", filter=runs),
            over=Count("pk", filter=over),
            last=Max("granted__expires_at_s", filter=Q(amount__gt=0)),
        )
    )
    found = each.aggregate(
        all=Count("buyer"),
        new=Count("buyer", filter=Q(first__gte=since_s)),
        again=Count("buyer", filter=Q(count__gt=1)),
        active_grants=Sum("running"),
        ended=Count("buyer", filter=Q(over__gt=0)),
        left=Count("buyer", filter=Q(over__gt=0, last__lte=now_s)),
    )
    return Buyers(**{name: count or 0 for name, count in found.items()})


def _consumers(provider: Provider, since: date) -> Iterable[Consumer]:
    rows = (
        GrantDay.objects.filter(provider=provider.pk, day__gte=since)
        .values("buyer")
        .annotate(grants=Count("grant", distinct=True), called=Sum("calls"), turned=Sum("refused"))
        .order_by("-called", "buyer")[:CONSUMERS_MAX]
    )
    for row in rows:
        name = pseudonym(provider, row["buyer"])
        yield Consumer(name, row["grants"], row["called"], row["turned"])


def _health(rows: Iterable[RouteDay], today: date) -> Iterable[Health]:
    services: dict[str, Day] = {}
    for row in rows:
        if row.day == today:
            services.setdefault(row.route.partition("/")[0], Day(_moment(today))).add(row)
    for name, day in sorted(services.items()):
        ill = day.calls and day.failures * 20 > day.calls
        level = "quiet" if not day.calls else "ill" if ill else "well"
        yield Health(name, day.calls, day.errors, day.p95, level)
