"""Last week's use of a route under a plan that is being thought of, in words."""

from datetime import datetime, timedelta

from django.db.models import Count, Max, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.domain.supposing import Supposed, Use, suppose
from billing.models import GrantDay
from gateway.domain.limits import parse_limits
from marketplace.domain import plans
from marketplace.models import RouteQuote

WEEK = timedelta(days=7)
BUYERS_MAX = 10_000
SUMS = ("calls", "bytes_up", "bytes_down", "credits", "messages")


def at_last_weeks_use(price: RouteQuote, now: datetime) -> list[str]:
    since = (now - WEEK).date()
    days = GrantDay.objects.filter(
        route=price.route.identifier,
        provider=price.route.service.provider_id,
        day__gt=since,
    )
    by_buyer = days.values_list("buyer").annotate(
        Count("day", distinct=True), *map(Sum, SUMS), Max("peak")
    )
    uses = [Use(*figures) for _buyer, *figures in by_buyer.order_by("buyer")[:BUYERS_MAX]]
    if not uses:
        return [_("Nobody called this route in the last seven days: there is nothing to compare.")]
    limits = parse_limits(price.limits)
    return _in_words(suppose(uses, limits, price.access_seconds, price.amount), price.asset)


def _in_words(supposed: Supposed, asset: str) -> list[str]:
    who = ngettext("%(n)s buyer", "%(n)s buyers", supposed.buyers) % {"n": f"{supposed.buyers:,}"}
    words = [
        _("At last week's use: %(who)s made %(calls)s calls on this route.")
        % {"who": who, "calls": f"{supposed.calls:,}"},
        _("They would have needed %(passes)s of these: %(revenue)s %(asset)s.")
        % {
            "passes": f"{supposed.passes:,}",
            "revenue": plans.show_amount(supposed.revenue),
            "asset": asset,
        },
    ]
    for limit, count in supposed.used_up:
        said = _("For %(count)s of them “%(limit)s” would have been used up before its time.")
        words.append(said % {"count": f"{count:,}", "limit": limit})
    if supposed.too_fast:
        said = _("%(count)s of them called faster in some minute than the rate allows.")
        words.append(said % {"count": f"{supposed.too_fast:,}"})
    return words
