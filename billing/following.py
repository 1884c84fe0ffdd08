"""Following the contract's events with a cursor that is kept: the evidence nobody has to ask for.

Payments are recorded first and the cursor moves after them, so what was read twice is recorded once
and nothing is skipped. One worker at a time follows; a second one would only read the same.
"""

from django.db import transaction

from billing import advancing, auditing, conf, confirming, nudging, refunding, submitting
from billing.domain import refunds
from billing.models import EventCursor, Purchase, Refund
from billing.rails.port import Page

FOLLOW_LEASE_SECONDS = 5
# With nobody waiting there is no hurry, and the node may be somebody else's.
IDLE_SECONDS = 5.0
PAGES_AT_ONCE = 20
OPEN = ("instructed", "authorized", "submitted")


def follow(*, now_s: float) -> None:
    rail = conf.rail()
    row, _ = EventCursor.objects.get_or_create(network=rail.network, contract=rail.contract)
    now_ms = int(now_s * 1000)
    idle = not (
        Purchase.objects.filter(state__in=OPEN, network=rail.network).exists()
        or Refund.objects.filter(state=refunds.State.SIGNED, network=rail.network).exists()
    )
    if idle and now_ms < row.looked_at_ms + IDLE_SECONDS * 1000:
        return
    taken = EventCursor.objects.filter(pk=row.pk, leased_until_ms__lte=now_ms).update(
        leased_until_ms=now_ms + FOLLOW_LEASE_SECONDS * 1000, looked_at_ms=now_ms
    )
    if not taken:
        return
    paid: list[str] = []
    try:
        with nudging.afterwards() as paid:
            _read_on(row, now_s=now_s)
        advancing.lapse_passed(now_s=now_s)
        submitting.sweep(now_s=now_s)
        # Before the grants: whoever waits for a channel has a ledger to catch.
        advancing.wake(now_s=now_s)
        refunding.look_after(now_s=now_s)
    finally:
        for purchase_id in paid:
            nudging.advance(purchase_id)
        EventCursor.objects.filter(pk=row.pk).update(leased_until_ms=0)


def _read_on(row: EventCursor, *, now_s: float) -> None:
    for _ in range(PAGES_AT_ONCE):
        page = conf.rail().payments_after(row.cursor)
        _record(row, page, now_s=now_s)
        if page.followed.ledger >= page.latest_ledger:
            break


def _record(row: EventCursor, page: Page, *, now_s: float) -> None:
    for payment in page.payments:
        confirming.record(payment, network=row.network, now_s=now_s)
    with transaction.atomic():
        followed = max(row.followed_ledger, page.followed.ledger)
        moved = EventCursor.objects.filter(pk=row.pk, cursor=row.cursor).update(
            cursor=page.cursor, followed_ledger=followed
        )
        if not moved:
            return
        for event in page.unreadable:
            auditing.record(
                action="payment.unreadable",
                subject=event.tx_hash,
                now_s=now_s,
                detail={"ledger": event.ledger, "reason": event.reason[:200]},
            )
        if page.gap:
            auditing.record(
                action="evidence.gap",
                subject=row.contract,
                now_s=now_s,
                detail={
                    "after_ledger": row.followed_ledger,
                    "oldest_ledger": page.followed.oldest_ledger,
                },
            )
    row.cursor, row.followed_ledger = page.cursor, followed
