"""Staff stop the sales of a service, or of a provider, at once, and let them go on again.

Quotes that buyers hold are worth nothing meanwhile (billing asks `is_stopped` before it makes an
instruction of one); what was sold runs on, unless the suspension ends it.
"""

from datetime import UTC, datetime

from django.db import IntegrityError, transaction

from marketplace import publishing
from marketplace.models import Provider, Route, Service, Suspension


class AlreadySuspended(Exception):
    pass


def suspend(
    whom: Service | Provider, *, reason: str, ends_grants: bool, actor: str, now_s: float
) -> Suspension:
    """Raises AlreadySuspended."""
    of = {"service": whom} if isinstance(whom, Service) else {"provider": whom}
    try:
        with transaction.atomic():
            suspension = Suspension.objects.create(
                **of,
                reason=reason,
                ends_grants=ends_grants,
                suspended_by=actor,
                suspended_at=datetime.fromtimestamp(now_s, UTC),
            )
            _flag(suspension, is_suspended=True)
    except IntegrityError:
        raise AlreadySuspended from None
    return suspension


@transaction.atomic
def lift(suspension: Suspension, *, actor: str, now_s: float) -> bool:
    """False where somebody else did. Grants that it ended do not come back."""
    open_ = Suspension.objects.filter(pk=suspension.pk, lifted_at=None)
    if not open_.update(lifted_at=datetime.fromtimestamp(now_s, UTC), lifted_by=actor):
        return False
    _flag(suspension, is_suspended=False)
    return True


def is_stopped(route_id: str) -> bool:
    """Whether staff lets nothing of this route be sold now, whatever quote of it somebody holds."""
    service, _, route = route_id.partition("/")
    found = Route.objects.filter(service__slug=service, slug=route)
    row = found.select_related("service__provider").first()
    if row is None:
        return False
    stopped = row.service.is_held or row.service.is_suspended
    return stopped or row.service.provider.is_suspended


def _flag(suspension: Suspension, *, is_suspended: bool) -> None:
    touched = Service.objects.none()
    if suspension.service is not None:
        touched = Service.objects.filter(pk=suspension.service.pk)
        touched.update(is_suspended=is_suspended)
    elif suspension.provider is not None:
        touched = Service.objects.filter(provider=suspension.provider)
        Provider.objects.filter(pk=suspension.provider.pk).update(is_suspended=is_suspended)
    publishing.publish(touched.values_list("pk", flat=True))
