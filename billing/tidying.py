"""Forgetting what nobody needs any more: expired purchases that nobody signed, answers, old mail.

A purchase that was signed, sent or paid stays for good. What the audit log says of those that go
stays too. Should a payment for one of them turn up nevertheless, it is found and granted as any
other whose row was lost (recovering.py).
"""

from django.db import transaction

from billing import auditing, handing_over, posting
from billing.domain import idempotency
from billing.domain.purchases import State
from billing.models import IdempotentRequest, Purchase

ROWS_MAX = 500  # At a time, so that nobody waits for it long.


def tidy(*, kept_s: int, now_s: float) -> int:
    """How many rows went: ROWS_MAX or more mean that there may be others."""
    gone = _forget_purchases(int(now_s) - kept_s, now_s=now_s) + _forget_answers(now_s)
    return gone + posting.tidy(now_s=now_s) + handing_over.tidy(now_s=now_s)


def _forget_purchases(before_s: int, *, now_s: float) -> int:
    expired = Purchase.objects.filter(
        state=State.EXPIRED, moved_at_s__lt=before_s, authorized_at_s=None, transactions=None
    ).order_by("moved_at_s")
    with transaction.atomic():
        ids = list(expired.values_list("pk", flat=True)[:ROWS_MAX])
        # By the state again: evidence on chain may have moved one meanwhile.
        rows = Purchase.objects.select_for_update().filter(pk__in=ids, state=State.EXPIRED)
        count, _ = Purchase.objects.filter(pk__in=[row.pk for row in rows]).delete()
        if count:
            detail = {"count": count, "expired_before": before_s}
            auditing.record(action="purchase.forget", subject="", now_s=now_s, detail=detail)
    return count


def _forget_answers(now_s: float) -> int:
    old = IdempotentRequest.objects.filter(claimed_at_s__lte=now_s - idempotency.REMEMBERED_SECONDS)
    ids = list(old.order_by("claimed_at_s").values_list("pk", flat=True)[:ROWS_MAX])
    count, _ = old.filter(pk__in=ids).delete()
    return count
