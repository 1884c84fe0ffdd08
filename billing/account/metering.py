"""What is left of grants, and for how long at this pace, in words and bars."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.domain import burning
from billing.domain.burning import WINDOW_S, Used
from gateway.domain.limits import Data, Limit, Quota, is_quota
from gateway.ledgers.reading import GrantUsage, LimitUsage
from gateway.models import UsageMinute
from marketplace.domain import plans

NEAR, FULL = 80, 100  # Percent, from which a bar changes its colour.


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    used: str
    total: str
    left: str
    percent: int
    level: str
    pace: str
    runs_out: str
    renews_at: datetime | None


@dataclass(frozen=True, slots=True)
class Meters:
    bars: tuple[Bar, ...]
    words: tuple[str, ...]  # Of what refills by itself, and has no bar.


def meters(usage: GrantUsage, used: Used, *, began_s: float, now_s: float) -> Meters:
    bars, words = [], []
    for each in usage.limits:
        if is_quota(each.limit):
            bars.append(_bar(each, each.limit, usage, used, (began_s, now_s)))
        else:
            words.append(_in_words(each.limit))
    return Meters(tuple(bars), tuple(words))


def used_lately(grant_ids: Iterable[str], *, now_s: float) -> Mapping[str, Used]:
    """One query for a page of grants."""
    since = datetime.fromtimestamp(now_s, UTC) - timedelta(seconds=WINDOW_S)
    rows = UsageMinute.objects.filter(grant__in=list(grant_ids), minute__gte=since)
    sums = rows.values("grant").annotate(
        called=Sum("calls"),
        up=Sum("bytes_up"),
        down=Sum("bytes_down"),
        cost=Sum("credits"),
        said=Sum("messages"),
    )
    return {
        row["grant"]: Used(row["called"], row["up"], row["down"], row["cost"], row["said"])
        for row in sums
    }


def percent(used: int, total: int) -> int:
    """Rounded down: 100 only when nothing is left."""
    return 100 * used // total if total else 100


def time_words(seconds: float) -> str:
    count, unit = burning.roughly(seconds)
    if unit == "day":
        return ngettext("%(n)d day", "%(n)d days", count) % {"n": count}
    if unit == "hour":
        return ngettext("%(n)d hour", "%(n)d hours", count) % {"n": count}
    return ngettext("%(n)d minute", "%(n)d minutes", count) % {"n": count}


def amount_words(limit: Quota, amount: float) -> str:
    if not isinstance(limit, Data):
        return f"{amount:,.0f}" if amount >= 10 or amount == int(amount) else f"{amount:.1f}"
    for name, size in reversed(plans.SIZES.items()):
        if amount >= size:
            return f"{amount / size:,.1f}".removesuffix(".0") + f" {name}"
    return f"{amount:,.0f} " + ngettext("byte", "bytes", int(amount))


def _bar(
    each: LimitUsage, limit: Quota, usage: GrantUsage, used: Used, times: tuple[float, float]
) -> Bar:
    began_s, now_s = times
    spent, left = each.used or 0, each.left or 0
    pace = burning.per_minute(burning.of(limit, used), active_s=now_s - began_s)
    until_s = min(usage.ends_at_s, each.renews_at_s or usage.ends_at_s)
    ends_in_s = burning.runs_out_in_s(left, pace, before_s=until_s - now_s)
    share = percent(spent, spent + left)
    return Bar(
        name=_name(limit),
        used=amount_words(limit, spent),
        total=amount_words(limit, spent + left),
        left=amount_words(limit, left),
        percent=share,
        level="full" if share >= FULL else "near" if share >= NEAR else "",
        pace=_("%(amount)s a minute") % {"amount": amount_words(limit, pace)} if pace else "",
        runs_out=time_words(ends_in_s) if ends_in_s and until_s > now_s else "",
        renews_at=None if each.renews_at_s is None else _moment(each.renews_at_s),
    )


def _name(limit: Quota) -> str:
    ways = {"up": _("sent"), "down": _("received"), "both": _("both ways")}
    names = {
        "calls": _("calls"),
        "credits": _("credits"),
        "data": _("data"),
        "messages": _("messages"),
    }
    way = getattr(limit, "direction", None)
    name = names[limit.kind] if way is None else f"{names[limit.kind]} {ways[way]}"
    window = limit.window_seconds
    if window is None:
        return name
    return f"{name}, " + _("each %(duration)s") % {"duration": plans.show_duration(window)}


def _in_words(limit: Limit) -> str:
    return f"{limit.words()}: {plans.at_the_limit(limit)}"


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
