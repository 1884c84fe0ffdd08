"""Ending a grant, or one access token of it, before its time; the gates follow within a second."""

from django.db import transaction

from billing import auditing
from billing.models import Purchase
from billing.webhooks import selling
from gateway.ledgers import revoking


@transaction.atomic
def withdraw(grant_id: str, token_id: str = "", *, actor: str, now_s: float) -> bool:
    """False where it was withdrawn before."""
    if not revoking.revoke(grant_id, token_id):
        return False
    if not token_id:
        ends = [(purchase, now_s) for purchase in Purchase.objects.filter(pk=grant_id)]
        selling.ended(ends, because=selling.WITHDRAWN, now_s=now_s)
    auditing.record(
        action="grant.revoke",
        subject=grant_id,
        now_s=now_s,
        actor=actor,
        detail={"token": token_id},
    )
    return True
