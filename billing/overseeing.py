"""How the parts of the site are, told from rows that each of them writes anyway."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from billing import conf
from billing.models import ChannelAccount, EventCursor, Letter, Purchase, WebhookDelivery
from gateway.models import GatewayNode, Snapshot

WORKER_SECONDS = 15
"""Workers look at the payment network twice a second."""
NODE_SECONDS = 15.0
OVERDUE_SECONDS = 60
NODES_SHOWN = 50


class Health(StrEnum):
    GOOD = "good"
    POOR = "poor"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    part: str
    health: Health
    says: str
    advice: str = ""


def lines(now_s: float) -> Iterator[Line]:
    yield _database()
    yield _cache()
    yield _workers(now_s)
    yield from _overdue(now_s)
    yield _channels()
    yield _snapshot()
    yield from _nodes(now_s)


def _database() -> Line:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    took_ms = (time.perf_counter() - began) * 1000
    return Line(_("Database"), Health.GOOD, f"{connection.vendor}, {took_ms:.1f} ms")


def _cache() -> Line:
    if not settings.REDIS_URL:
        return Line(_("Redis"), Health.GOOD, _("not used: limits are kept in one process"))
    try:
        cache.set("overseeing", "1", 10)
        answers = cache.get("overseeing") == "1"
    except OSError:
        answers = False
    if answers:
        return Line(_("Redis"), Health.GOOD, _("answers"))
    advice = _("Calls of grants with a rate are refused (503) until it does. See REDIS_URL.")
    return Line(_("Redis"), Health.BAD, _("does not answer"), advice)


def _workers(now_s: float) -> Line:
    rail = conf.rail()
    cursor = EventCursor.objects.filter(network=rail.network, contract=rail.contract).first()
    part = _("Workers and payment network")
    if cursor is None or not cursor.looked_at_ms:
        return Line(part, Health.BAD, _("never looked at"), _("Start a worker and beat."))
    age_s = max(0, int(now_s - cursor.looked_at_ms / 1000))
    says = _("ledger %(ledger)d, looked at %(age)d s ago")
    said = says % {"ledger": cursor.followed_ledger, "age": age_s}
    if age_s <= WORKER_SECONDS:
        return Line(part, Health.GOOD, said)
    advice = _("No worker runs, or the payment network does not answer: see the workers' log.")
    return Line(part, Health.BAD, said, advice)


def _overdue(now_s: float) -> Iterator[Line]:
    before = int((now_s - OVERDUE_SECONDS) * 1000)
    for part, rows in (
        (_("Purchases"), Purchase.objects),
        (_("Webhook deliveries"), WebhookDelivery.objects),
        (_("Mails"), Letter.objects),
    ):
        count = rows.filter(due_at_ms__lt=before).count()
        says = _("%(count)d overdue by a minute or more") % {"count": count}
        advice = _("Workers are too few, or what they ask does not answer.") if count else ""
        yield Line(part, Health.POOR if count else Health.GOOD, says, advice)


def _channels() -> Line:
    ours = ChannelAccount.objects.filter(network=conf.rail().network)
    counted = ours.aggregate(usable=Count("pk", filter=Q(usable=True)), whole=Count("pk"))
    usable, whole = counted["usable"], counted["whole"]
    health = Health.GOOD if usable and usable == whole else Health.POOR if usable else Health.BAD
    advice = "" if health is Health.GOOD else _("See the channel accounts for what each lacks.")
    says = _("%(usable)d of %(whole)d usable") % {"usable": usable, "whole": whole}
    return Line(_("Channel accounts"), health, says, advice)


def _snapshot() -> Line:
    newest = Snapshot.objects.order_by("-pk").only("version").first()
    if newest is None:
        return Line(_("Snapshot"), Health.BAD, _("none"), _("Run manage.py setup."))
    return Line(_("Snapshot"), Health.GOOD, _("version %(number)d") % {"number": newest.pk})


def _nodes(now_s: float) -> Iterator[Line]:
    for node in GatewayNode.objects.order_by("host", "pk")[:NODES_SHOWN]:
        age_s = max(0.0, now_s - node.heartbeat_at)
        part = _("Gateway %(host)s") % {"host": node.host}
        says = _("heartbeat %(age)d s ago") % {"age": int(age_s)}
        if age_s <= NODE_SECONDS:
            yield Line(part, Health.GOOD, says)
        else:
            advice = _("It has died or cannot write: what it had on lease comes back by itself.")
            yield Line(part, Health.POOR, says, advice)
