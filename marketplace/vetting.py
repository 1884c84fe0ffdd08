"""New services wait for staff where APICHARGE_REVIEWS_SERVICES asks for it."""

from django.db import transaction

from marketplace import publishing
from marketplace.models import Service


@transaction.atomic
def approve(service: Service) -> bool:
    """On sale from now on, whatever its provider changes later. False where it did not wait."""
    if not Service.objects.filter(pk=service.pk, is_held=True).update(is_held=False):
        return False
    publishing.publish([service.pk])
    return True


@transaction.atomic
def send_back(service: Service) -> bool:
    """A draft again, which its provider may publish once more."""
    waiting = Service.objects.waiting().filter(pk=service.pk)
    if not waiting.update(state=Service.State.DRAFT):
        return False
    publishing.publish([service.pk])
    return True
