"""What is next for a purchase, decided from its row alone: a restarted worker knows as much.

A row says when it is due. Whoever takes it pushes that moment ahead by one conditional UPDATE, so
others leave it alone for a while; if the worker dies, the moment comes again. Two workers at one
purchase are harmless, only wasteful.
"""

from django.db import transaction

from billing import channels, conf, granting, nudging, submitting
from billing.domain.errors import PurchaseEnded
from billing.domain.purchases import Event, State
from billing.models import ChainTransaction, EventCursor, Purchase
from billing.moving import due, move

TAKEN_SECONDS = 5
DUE_AT_ONCE = 500


def due_ids(*, now_s: float) -> list[str]:
    rows = Purchase.objects.filter(due_at_ms__lte=int(now_s * 1000)).order_by(
        "due_at_ms", "authorized_at_s", "pk"
    )
    return list(rows.values_list("pk", flat=True)[:DUE_AT_ONCE])


def advance(purchase_id: str, *, now_s: float) -> None:
    """Take the row if it is due, and do one thing."""
    now_ms = int(now_s * 1000)
    purchase = Purchase.objects.filter(pk=purchase_id, due_at_ms__lte=now_ms).first()
    if purchase is None:
        return
    seen = Purchase.objects.filter(
        pk=purchase_id,
        due_at_ms=purchase.due_at_ms,
        state=purchase.state,
        attempts=purchase.attempts,
    )
    if submitting.waits_for_channel(purchase, now_s=now_s) and not may_lapse(purchase, now_s=now_s):
        seen.update(due_at_ms=int((now_s + submitting.CHANNELS_BUSY_SECONDS) * 1000))
    elif seen.update(due_at_ms=now_ms + TAKEN_SECONDS * 1000):
        _advance(purchase, now_s=now_s)


def wake(*, now_s: float) -> None:
    """As many purchases as channels are free, those first that have waited longest."""
    network = conf.rail().network
    authorized = submitting.waiting_for_channel(network)
    woken = authorized.filter(due_at_ms__lte=int(now_s * 1000)).count()
    free = channels.free_count(network=network, now_s=now_s) - woken
    if free <= 0:
        return
    # Who is due sooner was taken.
    waiting = authorized.filter(due_at_ms__gt=int((now_s + TAKEN_SECONDS) * 1000))
    oldest = waiting.order_by("authorized_at_s", "pk").values_list("pk", flat=True)
    for purchase_id in oldest[:free]:
        due(purchase_id, at_s=now_s)
        nudging.advance(purchase_id)


def _advance(purchase: Purchase, *, now_s: float) -> None:
    match State(purchase.state):
        case State.CONFIRMED:
            granting.issue(purchase.pk, now_s=now_s)
        case State.AUTHORIZED if purchase.amount == 0:
            granting.issue(purchase.pk, now_s=now_s)
        case State.INSTRUCTED | State.AUTHORIZED | State.SUBMITTED if may_lapse(
            purchase, now_s=now_s
        ):
            lapse(purchase.pk, now_s=now_s)
        case State.AUTHORIZED | State.SUBMITTED:
            submitting.step(purchase, now_s=now_s)
        case _:
            Purchase.objects.filter(pk=purchase.pk, state=purchase.state).update(due_at_ms=None)


def may_lapse(purchase: Purchase, *, now_s: float) -> bool:
    """Nothing that was signed for it can be applied any more, and we would know if it had been."""
    if purchase.valid_until is None:
        return now_s > purchase.expires_at_s
    if followed_ledger() <= purchase.valid_until:
        return False
    return not purchase.transactions.filter(state__in=ChainTransaction.OPEN).exists()


def lapse(purchase_id: str, *, now_s: float) -> bool:
    changes = {"due_at_ms": None, "problem": PurchaseEnded.slug, "problem_detail": LAPSED}
    return move(purchase_id, Event.LAPSE, now_s=now_s, changes=changes)


LAPSED = "It was not paid in time, and nothing was taken. Get a new quote."


def lapse_passed(*, now_s: float) -> None:
    """Make those due that the followed ledgers have left behind."""
    waiting = Purchase.objects.filter(
        state__in=[State.INSTRUCTED, State.AUTHORIZED, State.SUBMITTED],
        valid_until__lt=followed_ledger(),
    )
    for purchase in waiting[:DUE_AT_ONCE]:
        with transaction.atomic():
            if may_lapse(purchase, now_s=now_s):
                lapse(purchase.pk, now_s=now_s)


def followed_ledger() -> int:
    rail = conf.rail()
    cursors = EventCursor.objects.filter(network=rail.network, contract=rail.contract)
    return cursors.values_list("followed_ledger", flat=True).first() or 0
