"""Suspensions and reviews by staff, as the log, the provider and the buyers have them.

What a suspension ends, it ends in portions: rows say what is left to do, and a portion that was
done halfway is done again. A grant is withdrawn, its buyer is told why, and a refund is asked for
in the buyer's name; paying it is the provider's.
"""

from datetime import UTC, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing import asking, auditing, posting, withdrawing
from billing.domain.errors import RefundRefused
from billing.models import GrantedToken, Purchase
from gateway.models import Revocation
from marketplace import suspending, vetting
from marketplace.models import Provider, Service, Suspension

PORTION = 100
STAFF = "staff"


@transaction.atomic
def suspend(
    whom: Service | Provider, *, reason: str, ends_grants: bool, actor: str, now_s: float
) -> Suspension:
    """Raises `suspending.AlreadySuspended`."""
    suspension = suspending.suspend(
        whom, reason=reason, ends_grants=ends_grants, actor=actor, now_s=now_s
    )
    _record(
        "suspend",
        whom,
        actor=actor,
        now_s=now_s,
        suspension=suspension.pk,
        reason=reason,
        ends_grants=int(ends_grants),
    )
    body = _("Sales of %(what)s are stopped.\n\n%(reason)s") % {"what": whom, "reason": reason}
    _tell(whom, _("Sales of %(what)s are stopped") % {"what": whom}, body, suspension, now_s)
    return suspension


@transaction.atomic
def lift(suspension: Suspension, *, actor: str, now_s: float) -> bool:
    """False where it was lifted already."""
    if not suspending.lift(suspension, actor=actor, now_s=now_s):
        return False
    whom = suspension.service or suspension.provider
    assert whom is not None
    _record("lift_suspension", whom, actor=actor, now_s=now_s, suspension=suspension.pk)
    subject = _("%(what)s may be sold again") % {"what": whom}
    _tell(whom, subject, subject + ".", suspension, now_s)
    return True


@transaction.atomic
def approve(service: Service, *, actor: str, now_s: float) -> bool:
    if not vetting.approve(service):
        return False
    _record("approve", service, actor=actor, now_s=now_s)
    return True


@transaction.atomic
def send_back(service: Service, *, note: str, actor: str, now_s: float) -> bool:
    if not vetting.send_back(service):
        return False
    _record("send_back", service, actor=actor, now_s=now_s, note=note)
    posting.post(
        service.provider.owner,
        _("%(what)s is not on sale yet") % {"what": service},
        note,
        key=f"review:{service.pk}:{int(now_s)}",
        now_s=now_s,
    )
    return True


def end_grants(*, now_s: float) -> int:
    """A portion of the grants that suspensions end; how many it was."""
    open_ = Suspension.objects.filter(ends_grants=True, grants_ended_at=None, lifted_at=None)
    suspension = open_.order_by("suspended_at").select_related("service", "provider").first()
    if suspension is None:
        return 0
    ids = _running(suspension, now_s=now_s)
    for grant_id in ids:
        _end(grant_id, suspension, now_s=now_s)
    if not ids:
        ended_at = datetime.fromtimestamp(now_s, UTC)
        Suspension.objects.filter(pk=suspension.pk).update(grants_ended_at=ended_at)
    return len(ids)


def _running(suspension: Suspension, *, now_s: float) -> list[str]:
    services = Service.objects.filter(provider=suspension.provider)
    if suspension.service is not None:
        services = Service.objects.filter(pk=suspension.service.pk)
    withdrawn = Revocation.objects.filter(token="").values("grant")
    found: list[str] = []
    for slug in services.order_by("pk").values_list("slug", flat=True):
        running = GrantedToken.objects.filter(
            purchase__route__startswith=f"{slug}/", expires_at_s__gt=int(now_s)
        ).exclude(purchase__in=withdrawn)
        found += running.values_list("purchase", flat=True)[: PORTION - len(found)]
        if len(found) >= PORTION:
            break
    return found


@transaction.atomic
def _end(grant_id: str, suspension: Suspension, *, now_s: float) -> None:
    if not withdrawing.withdraw(grant_id, actor=suspension.suspended_by, now_s=now_s):
        return
    purchase = Purchase.objects.select_related("owner").get(pk=grant_id)
    reason = _("Ended by staff: %(reason)s") % {"reason": suspension.reason}
    try:
        with transaction.atomic():
            asking.ask(purchase, reason=reason, asked_by=STAFF, now_s=now_s)
    except RefundRefused:  # Free, or asked for already.
        pass
    if purchase.owner is not None:
        posting.post(
            purchase.owner,
            _("Your access to %(route)s has ended") % {"route": purchase.route},
            reason,
            key=f"ended:{grant_id}",
            now_s=now_s,
        )


def _record(
    act: str, whom: Service | Provider, *, actor: str, now_s: float, **detail: str | int
) -> None:
    kind = "service" if isinstance(whom, Service) else "provider"
    auditing.record(
        action=f"{kind}.{act}",
        subject=f"{kind}:{whom.slug}",
        now_s=now_s,
        actor=actor,
        detail={"act": act, **detail},
    )


def _tell(
    whom: Service | Provider, subject: str, body: str, suspension: Suspension, now_s: float
) -> None:
    provider = whom.provider if isinstance(whom, Service) else whom
    key = f"suspension:{suspension.pk}:{int(suspension.lifted_at is not None)}:{int(now_s)}"
    posting.post(provider.owner, subject, body, key=key, now_s=now_s)
