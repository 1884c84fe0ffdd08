"""Services that stop answering our probes, and answer again: rows, and their providers told.

An outage begins with the second probe in a row that fails, so that one lost packet wakes nobody.
Mail goes out once an hour at most in each direction; webhooks each time.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from billing import conf, posting
from billing.models import Outage
from billing.webhooks import announcing
from billing.webhooks.selling import DOWN, UP
from marketplace import visiting
from marketplace.models import Service, Standing

AT_ONCE = 200
MAIL_SECONDS = 3_600


def look(*, now_s: float) -> int:
    """How many began or ended."""
    return sum(_begin(standing, now_s=now_s) for standing in _begun()) + sum(
        _end(outage, now_s=now_s) for outage in _over()
    )


def _begun() -> Iterable[Standing]:
    known = Outage.objects.filter(ended_at=None).values("service")
    for some in visiting.visited():
        down = some.filter(down_since__isnull=False, probed_at__gt=F("down_since"))
        new = down.exclude(pk__in=known).select_related("service__provider__owner")
        yield from new[:AT_ONCE]


def _over() -> Iterable[Outage]:
    """Answered since, even where it is down again meanwhile."""
    again = Q(service__figures__down_since=None) | Q(service__figures__down_since__gt=F("began_at"))
    ended = Outage.objects.filter(
        again, ended_at=None, service__figures__probed_at__gt=F("began_at")
    )
    return list(ended.select_related("service__provider__owner", "service__figures")[:AT_ONCE])


@transaction.atomic
def _begin(standing: Standing, *, now_s: float) -> bool:
    began = standing.down_since
    assert began is not None
    outage, is_first = Outage.objects.get_or_create(
        service=standing.service, ended_at=None, defaults={"began_at": began}
    )
    if is_first:
        subject = _("%(service)s does not answer") % {"service": standing.service}
        content = {"since": _moment(began)}
        _tell(outage, standing.service, DOWN, subject, content, now_s=now_s)
    return is_first


@transaction.atomic
def _end(outage: Outage, *, now_s: float) -> bool:
    figures = outage.service.figures
    ended = figures.down_since or figures.probed_at
    assert ended is not None
    if not Outage.objects.filter(pk=outage.pk, ended_at=None).update(ended_at=ended):
        return False
    subject = _("%(service)s answers again") % {"service": outage.service}
    content = {"since": _moment(outage.began_at), "until": _moment(ended)}
    _tell(outage, outage.service, UP, subject, content, now_s=now_s)
    return True


def _tell(
    outage: Outage,
    service: Service,
    event: str,
    subject: str,
    content: Mapping[str, object],
    *,
    now_s: float,
) -> None:
    key = f"{event}:{service.pk}"
    announcing.announce(
        service.provider,
        event,
        {"service": service.slug, **content},
        key=f"{key}:{outage.pk}",
        now_s=now_s,
    )
    body = _(
        "%(subject)s.\n\nIts upstreams are asked each minute whether they answer at all, with less "
        "than 500, at the path for health checks.\n%(address)s"
    )
    address = f"{conf.conf().origin}/services/{service.slug}/"
    posting.post(
        service.provider.owner,
        subject,
        body % {"subject": subject, "address": address},
        key=f"{key}:{int(now_s) // MAIL_SECONDS}",
        now_s=now_s,
    )


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
