"""Refunds: we build the transfer, the provider signs it, the chain says whether it happened.

No key of ours moves anything: what we send is signed by the provider, who may as well send it
without us, since its hash is known before it is signed. What is sent again is the same bytes.
"""

import secrets

from django.db import IntegrityError, transaction
from django.db.models import Sum

from billing import asking, auditing, conf
from billing.domain import refunds
from billing.domain.errors import NotFound, RefundRefused
from billing.domain.purchases import PAID
from billing.domain.refunds import COUNTED, OPEN, TRANSITIONS, Event, State, Transfer
from billing.models import Purchase, Refund
from billing.rails.port import Absent, TransferFailed, Transferred
from billing.webhooks import selling
from gateway.ledgers import revoking
from marketplace.models import Provider

SIGN_WITHIN_SECONDS = 900
RESEND_SECONDS = 5.0
LOOK_SECONDS = 2.0
LOOKED_AT_ONCE = 50


def prepare(  # noqa: PLR0913 - what a provider decides
    purchase_id: str,
    *,
    amount: int,
    reason: str,
    ends_grant: bool,
    actor: str,
    seller: Provider | None,
    now_s: float,
) -> Refund:
    """A transfer for the provider to sign. `seller`: only of purchases that this provider sold."""
    purchase = Purchase.objects.filter(pk=purchase_id).first()
    provider = None if purchase is None else selling.provider_of(purchase)
    if purchase is None or (seller is not None and provider != seller):
        raise NotFound("There is no such purchase.")
    _check(purchase, amount)
    refund = Refund(
        id=secrets.token_hex(32),
        purchase=purchase,
        provider=provider,
        state=State.PREPARED.value,
        moved_at_s=int(now_s),
        created_at_s=int(now_s),
        due_at_ms=int((now_s + LOOK_SECONDS) * 1000),
        reason=reason[:200],
        ends_grant=ends_grant,
        network=purchase.network,
        payer=purchase.payee,
        receiver=purchase.buyer,
        asset=purchase.asset,
        asset_code=purchase.asset_code,
        amount=amount,
        last_moment_s=int(now_s) + SIGN_WITHIN_SECONDS,
    )
    made = conf.rail().prepare_transfer(
        _transfer(refund), callback=callback_url(refund.pk), last_moment_s=refund.last_moment_s
    )
    refund.tx_hash, refund.envelope, refund.link = made.tx_hash, made.body, made.link
    refund.built_at_ledger = made.height
    _keep(refund, actor=actor, now_s=now_s)
    return refund


def sign(refund_id: str, offered: str, *, now_s: float) -> Refund:
    """The prepared transaction with the provider's signature, from whoever brings it."""
    refund = Refund.objects.filter(pk=refund_id).first()
    if refund is None:
        raise NotFound("There is no such refund.")
    signed = conf.rail().signed_transfer(refund.envelope, offered, payer=refund.payer)
    if not _move(refund, Event.SIGN, now_s=now_s, signed=signed, due_at_ms=int(now_s * 1000)):
        refund.refresh_from_db()
        if refund.signed != signed and refund.state != State.REFUNDED:
            raise RefundRefused(f"This refund is {refund.state}: prepare another.")
    refund.refresh_from_db()
    return refund


def look_after(*, now_s: float) -> None:
    """Send what is signed, and learn what became of what is open."""
    due = Refund.objects.filter(
        state__in=OPEN, due_at_ms__lte=int(now_s * 1000), network=conf.rail().network
    )
    for refund in due.order_by("due_at_ms")[:LOOKED_AT_ONCE]:
        _look_after(refund, now_s=now_s)


def callback_url(refund_id: str) -> str:
    return f"{conf.conf().origin}/apicharge/v1/refunds/{refund_id}/sep7"


def _look_after(refund: Refund, *, now_s: float) -> None:
    match conf.rail().transfer_fate(refund.tx_hash, _transfer(refund)):
        case Transferred(ledger):
            _pay(refund, ledger=ledger, now_s=now_s)
        case TransferFailed(ledger, detail):
            changes = {"ledger": ledger, "problem": detail[:300], "due_at_ms": None}
            _move(refund, Event.FAIL, now_s=now_s, **changes)
        case Absent(seen) if (
            seen.closed_at_s > refund.last_moment_s
            and seen.oldest_ledger <= refund.built_at_ledger + 1
        ):
            problem = "It was not signed and sent in time, and nothing was taken."
            _move(refund, Event.LAPSE, now_s=now_s, problem=problem, due_at_ms=None)
        case Absent():
            _send(refund, now_s=now_s)


def _send(refund: Refund, *, now_s: float) -> None:
    changes: dict[str, object] = {"due_at_ms": int((now_s + LOOK_SECONDS) * 1000)}
    if refund.signed and now_s * 1000 >= (refund.sent_at_ms or 0) + RESEND_SECONDS * 1000:
        receipt = conf.rail().send(refund.signed)
        changes |= {"sent_at_ms": int(now_s * 1000), "last_code": receipt.code[:64]}
    Refund.objects.filter(pk=refund.pk, state__in=OPEN).update(**changes)


def _keep(refund: Refund, *, actor: str, now_s: float) -> None:
    try:
        with transaction.atomic():
            # Of two refunds at once the second sees the first.
            purchase = Purchase.objects.select_for_update().get(pk=refund.purchase_id)
            _check(purchase, refund.amount)
            refund.save(force_insert=True)
            auditing.record(
                action="refund.prepare",
                subject=refund.purchase_id,
                now_s=now_s,
                actor=actor,
                detail={"refund": refund.pk, "amount": refund.amount, "tx_hash": refund.tx_hash},
            )
    except IntegrityError:
        raise RefundRefused(
            f"Another refund from {refund.payer} waits for its signature: sign it, or let its "
            f"{SIGN_WITHIN_SECONDS // 60} minutes pass."
        ) from None


def _check(purchase: Purchase, amount: int) -> None:
    if purchase.state not in PAID or not purchase.amount:
        raise RefundRefused("Nothing was paid for this purchase.")
    made = Refund.objects.filter(purchase=purchase, state__in=COUNTED)
    counted = made.aggregate(sum=Sum("amount"))["sum"] or 0
    if why := refunds.refused(amount=amount, paid=purchase.amount, counted=counted):
        raise RefundRefused(why)


@transaction.atomic
def _pay(refund: Refund, *, ledger: int, now_s: float) -> None:
    if not _put(refund, Event.PAY, now_s=now_s, ledger=ledger, due_at_ms=None):
        return
    if refund.ends_grant and revoking.revoke(refund.purchase_id):
        selling.ended([(refund.purchase, now_s)], because=selling.REFUNDED, now_s=now_s)
    _record(refund, Event.PAY, now_s=now_s)
    asking.paid(refund.purchase_id, now_s=now_s)


@transaction.atomic
def _move(refund: Refund, event: Event, *, now_s: float, **changes: object) -> bool:
    moved = _put(refund, event, now_s=now_s, **changes)
    if moved:
        _record(refund, event, now_s=now_s)
    return moved


def _put(refund: Refund, event: Event, *, now_s: float, **changes: object) -> bool:
    state = State(refund.state)
    if not refunds.allows(state, event):
        return False
    rows = Refund.objects.filter(pk=refund.pk, state=state)
    new = TRANSITIONS[state][event]
    return bool(rows.update(state=new, moved_at_s=int(now_s), **changes))


def _record(refund: Refund, event: Event, *, now_s: float) -> None:
    state = State(refund.state)  # As it was read, before it moved.
    auditing.record(
        action=f"refund.{event}",
        subject=refund.purchase_id,
        now_s=now_s,
        detail={"refund": refund.pk, "from": state.value, "to": TRANSITIONS[state][event].value},
    )


def _transfer(refund: Refund) -> Transfer:
    return Transfer(refund.payer, refund.receiver, refund.asset, refund.amount)
