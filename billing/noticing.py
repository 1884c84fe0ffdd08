"""Telling buyers, by mail and webhook, that a grant is nearly used up or nearly over; and sellers,
by webhook, that a limit of it is used up, or that it ended.

Three looks, each at a bounded number of rows, and none at the gate's cost. Usage rows of the last
minutes say which grants were used, so only those are compared with their ledgers. The end of a
grant is known, so its row says when to look next (`Purchase.notice_due_at_s`); where the first use
of a grant brings its end nearer, ledgers that were opened by it since the last look say so, however
long ago that look was. What was told is a row of its own, so it is told once, however often and by
however many workers it is looked at.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Wallet
from billing import conf, posting
from billing.domain import notices
from billing.domain.notices import DAY_S
from billing.models import FirstUsesSeen, Notice, NoticeChoice, Purchase
from billing.models.notices import everything
from billing.pages import addresses
from billing.shops import telling
from billing.webhooks import announcing, selling
from gateway.domain.limits import Quota, is_quota
from gateway.ledgers import reading
from gateway.ledgers.reading import GrantUsage
from gateway.models import GrantLedger, Revocation, UsageMinute

USED_WITHIN = timedelta(minutes=3)
LOOKED_AT_ONCE, TURNS = 500, 10
CURSOR, CURSOR_SECONDS = "notices:after", 600
# Clocks differ, and a first use is stored a moment after it.
FIRST_USE_LATE_SECONDS = 300.0

LIMIT, ENDING = "grant.limit", "grant.ending"


@dataclass(frozen=True, slots=True)
class Known:
    purchase: Purchase
    user: User


@dataclass(frozen=True, slots=True)
class Told:
    """`moments`: those that have come, the newest last; only that one is worth a mail."""

    event: str
    name: str
    moments: Sequence[int]
    subject: str
    content: Mapping[str, object]


def look(*, now_s: float) -> None:
    """All that is due, or as much as one look may take."""
    look_at_first_uses(now_s=now_s)
    for part in (look_at_used, look_at_ends):
        for _turn in range(TURNS):
            if part(now_s=now_s) < LOOKED_AT_ONCE:
                break


def look_at_used(*, now_s: float) -> int:
    """Compare grants that were used lately with their limits. How many were found."""
    since = datetime.fromtimestamp(now_s, UTC) - USED_WITHIN
    after = str(cache.get(CURSOR, ""))
    rows = UsageMinute.objects.filter(minute__gte=since, grant__gt=after).order_by("grant")
    ids = list(rows.values_list("grant", flat=True).distinct()[:LOOKED_AT_ONCE])
    # A round that did not come to the end goes on there; the next one begins anew.
    cache.set(CURSOR, ids[-1] if len(ids) == LOOKED_AT_ONCE else "", CURSOR_SECONDS)
    found = Purchase.objects.select_related("owner").in_bulk(ids)
    known = _known(found.values())
    usages = reading.usages_of(found, now_s)
    choices, before = _choices(known.values()), _told_before(known)
    for pk, usage in usages.items():
        for told in _limits(found[pk], usage, now_s=now_s) if pk in known else ():
            if (pk, f"{told.name}:{told.moments[-1]}") not in before:
                _tell(known[pk], told, choices, now_s=now_s)
    telling.tell_used_up(found, usages, now_s=now_s)
    return len(ids)


def look_at_first_uses(*, now_s: float) -> int:
    """Grants that have begun since the last look. How many."""
    mark, _made = FirstUsesSeen.objects.get_or_create(pk=1)
    begun = GrantLedger.objects.filter(first_used_at__gte=mark.until_s)
    begun = begun.order_by("first_used_at", "pk")
    rows = list(begun.values_list("pk", "first_used_at")[: LOOKED_AT_ONCE * TURNS])
    for first in range(0, len(rows), LOOKED_AT_ONCE):
        ids = [pk for pk, _at in rows[first : first + LOOKED_AT_ONCE]]
        found = Purchase.objects.in_bulk(ids)
        for pk, usage in reading.usages_of(found, now_s).items():
            _look_again_in_time(found[pk], usage, now_s=now_s)
    until_s = now_s - FIRST_USE_LATE_SECONDS
    if len(rows) == LOOKED_AT_ONCE * TURNS:
        until_s = min(until_s, rows[-1][1] or 0.0)
    FirstUsesSeen.objects.filter(pk=1, until_s__lt=until_s).update(until_s=until_s)
    return len(rows)


def look_at_ends(*, now_s: float) -> int:
    """Grants whose moment has come. How many."""
    due = Purchase.objects.filter(notice_due_at_s__lte=int(now_s)).order_by("notice_due_at_s")
    ids = list(due.values_list("pk", flat=True)[:LOOKED_AT_ONCE])
    found = Purchase.objects.select_related("owner").in_bulk(ids)
    known = _known(found.values())
    usages = reading.usages_of(ids, now_s)
    revoked = set(
        Revocation.objects.filter(grant__in=ids, token="").values_list("grant", flat=True)
    )
    running = {pk: usages[pk] for pk in ids if pk in usages and pk not in revoked}
    choices = _choices(known.values())
    for pk, usage in running.items():
        if pk in known and (told := _ending(found[pk], usage, now_s=now_s)):
            _tell(known[pk], told, choices, now_s=now_s)
    over = {pk: usage.ends_at_s for pk, usage in running.items() if usage.ends_at_s <= now_s}
    if over:
        ends = ((found[pk], at_s) for pk, at_s in over.items())
        selling.ended(ends, because=selling.EXPIRED, now_s=now_s)
    for pk, usage in running.items():
        if pk not in over:
            _look_again(found[pk], _next_look_s(found[pk], usage, now_s=now_s))
    done = Purchase.objects.filter(pk__in=[pk for pk in ids if pk in over or pk not in running])
    # Unless somebody else has looked meanwhile.
    done.filter(notice_due_at_s__lte=int(now_s)).update(notice_due_at_s=None)
    return len(ids)


def first_look_s(purchase: Purchase, expires_at_s: int, *, now_s: float) -> int | None:
    """For a grant that is being issued."""
    quote = purchase.quote
    lasts_s = int(quote["access_seconds"])
    if quote["starts"] == "first_use":
        expires_at_s, lasts_s = expires_at_s - lasts_s, DAY_S + 1
    return notices.next_look_s(expires_at_s, lasts_s=lasts_s, now_s=now_s)


def _known(found: Collection[Purchase]) -> dict[str, Known]:
    """Of these the grants of somebody who can be told: its owner, or whose wallet bought it."""
    buyers = {purchase.buyer for purchase in found if purchase.owner_id is None}
    wallets = Wallet.objects.filter(address__in=buyers).select_related("user")
    users = {wallet.address: wallet.user for wallet in wallets}
    told = ((purchase, purchase.owner or users.get(purchase.buyer)) for purchase in found)
    return {
        purchase.pk: Known(purchase, user)
        for purchase, user in told
        if isinstance(user, User) and user.is_active
    }


def _choices(known: Iterable[Known]) -> dict[int, NoticeChoice]:
    return NoticeChoice.objects.in_bulk({each.user.pk for each in known})


def _told_before(ids: Iterable[str]) -> set[tuple[str, str]]:
    return set(Notice.objects.filter(purchase__in=list(ids)).values_list("purchase", "what"))


def _end(purchase: Purchase, usage: GrantUsage) -> tuple[float, float]:
    """The moment to be told of, and how long it was ahead: of an unused grant the last to begin."""
    lasts_s = int(purchase.quote["access_seconds"])
    if purchase.quote["starts"] == "first_use" and usage.first_used_at_s is None:
        return usage.ends_at_s - lasts_s, DAY_S + 1
    return usage.ends_at_s, lasts_s


def _next_look_s(purchase: Purchase, usage: GrantUsage, *, now_s: float) -> int | None:
    """Who did not begin in time can still be served, until the grant itself is over."""
    ends_s, lasts_s = _end(purchase, usage)
    coming = notices.next_look_s(ends_s, lasts_s=lasts_s, now_s=now_s)
    return coming or notices.next_look_s(usage.ends_at_s, lasts_s=0, now_s=now_s)


def _look_again_in_time(purchase: Purchase, usage: GrantUsage, *, now_s: float) -> None:
    """Now, where it is over already: nobody may have looked for hours."""
    coming = _next_look_s(purchase, usage, now_s=now_s) or int(now_s)
    if purchase.notice_due_at_s is not None and purchase.notice_due_at_s > coming:
        later = Purchase.objects.filter(pk=purchase.pk, notice_due_at_s__gt=coming)
        later.update(notice_due_at_s=coming)


def _look_again(purchase: Purchase, at_s: int | None) -> None:
    """Unless somebody else has looked meanwhile."""
    seen = Purchase.objects.filter(pk=purchase.pk, notice_due_at_s=purchase.notice_due_at_s)
    seen.update(notice_due_at_s=at_s)


def _limits(purchase: Purchase, usage: GrantUsage, *, now_s: float) -> Iterable[Told]:
    for index, each in enumerate(usage.limits):
        limit = each.limit
        if not is_quota(limit) or not notices.is_told(limit.window_seconds):
            continue
        used, total = each.used or 0, (each.used or 0) + (each.left or 0)
        moments = notices.passed(used, total)
        if 100 in moments and telling.is_out_on_lease(purchase.pk, index):
            moments = tuple(moment for moment in moments if moment != 100)
        if moments and now_s < usage.ends_at_s:
            renews = "" if each.renews_at_s is None else f":{int(each.renews_at_s)}"
            yield _of_limit(purchase, limit, f"limit:{index}{renews}", moments, (used, total))


def _of_limit(
    purchase: Purchase, limit: Quota, name: str, moments: Sequence[int], counts: tuple[int, int]
) -> Told:
    used, total = counts
    words = {"percent": moments[-1], "limit": limit.words(), "plan": purchase.quote["name"]}
    subject = (
        _("%(plan)s is used up: %(limit)s")
        if moments[-1] == 100
        else _("%(plan)s: %(percent)d %% of %(limit)s used")
    ) % words
    said = {"kind": limit.kind, "used": used, "total": total, "percent": moments[-1]}
    return Told(LIMIT, name, moments, subject, {"limit": said})


def _ending(purchase: Purchase, usage: GrantUsage, *, now_s: float) -> Told | None:
    ends_s, lasts_s = _end(purchase, usage)
    moments = notices.near_end(ends_s - now_s, lasts_s=lasts_s)
    if not moments:
        return None
    begun = ends_s == usage.ends_at_s
    subject = (
        _("%(plan)s ends within %(time)s")
        if begun
        else _("%(plan)s has to be used for the first time within %(time)s")
    ) % {
        "plan": purchase.quote["name"],
        "time": _("24 hours") if moments[-1] == DAY_S else _("an hour"),
    }
    content = {"ends_at": int(ends_s), "started": begun, "within_seconds": moments[-1]}
    # The end of an unused grant and of a used one are told apart.
    return Told(ENDING, f"ends:{'used' if begun else 'unused'}", moments, subject, content)


@transaction.atomic
def _tell(known: Known, told: Told, choices: Mapping[int, NoticeChoice], *, now_s: float) -> None:
    purchase, user = known.purchase, known.user
    choice = choices.get(user.pk)
    wanted = everything() if choice is None else choice.wanted
    fresh = [
        moment
        for moment in told.moments
        if Notice.objects.get_or_create(
            purchase=purchase,
            user=user,
            what=f"{told.name}:{moment}",
            defaults={"told_at_s": int(now_s)},
        )[1]
    ]
    if told.moments[-1] not in fresh or told.moments[-1] not in wanted:
        return
    key = f"{purchase.pk}:{told.name}:{told.moments[-1]}"
    content = {"grant": purchase.pk, "route": purchase.route, "plan": purchase.quote["name"]}
    announcing.announce(user, told.event, {**content, **told.content}, key=key, now_s=now_s)
    if choice is None or choice.by_mail:
        posting.post(user, told.subject, _letter(purchase, told), key=f"n:{key}", now_s=now_s)


def _letter(purchase: Purchase, told: Told) -> str:
    origin = conf.conf().origin
    return _(
        "%(subject)s.\n\nRoute: %(route)s\nWhat is left:\n%(grant)s\n\n"
        "Buying it again:\n%(again)s\n\nWhich notices you get:\n%(notices)s\n"
    ) % {
        "subject": told.subject,
        "route": purchase.route,
        "grant": f"{origin}/account/grants/{purchase.pk}/",
        "again": origin + addresses.checkout(purchase.route, str(purchase.quote["name"])),
        "notices": f"{origin}/account/notices/",
    }
