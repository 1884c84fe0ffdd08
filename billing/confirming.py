"""Chain evidence becomes a confirmed purchase, or a discrepancy that staff will see.

A payment is recorded once, whoever tells of it first: the answer about our own transaction or the
follower of events. It counts only when all of it equals the purchase's row.
"""

from dataclasses import asdict

from django.db import transaction

from billing import auditing, nudging
from billing.domain.payments import Payment, differences
from billing.domain.purchases import Event, State
from billing.models import ChainTransaction, Purchase
from billing.models import Payment as PaymentRow
from billing.moving import move
from billing.orders import terms_of

Standing = PaymentRow.Standing


def record(payment: Payment, *, network: str, now_s: float) -> bool:
    """True when this payment was news."""
    with transaction.atomic():
        purchase = Purchase.objects.filter(pk=payment.terms.purchase_id, network=network).first()
        standing, differs_in = _judge(payment, purchase)
        row, made = PaymentRow.objects.get_or_create(
            network=network,
            tx_hash=payment.tx_hash,
            buyer=payment.terms.buyer,
            purchase_ref=payment.terms.purchase_id,
            defaults={
                **_columns(payment),
                "standing": standing,
                "differs_in": differs_in,
                "seen_at_s": int(now_s),
            },
        )
        ChainTransaction.objects.filter(tx_hash=payment.tx_hash).update(
            state=ChainTransaction.State.APPLIED, ledger=payment.ledger
        )
        if not made:
            return False
        known = None if purchase is None else State(purchase.state)
        if standing == Standing.MATCHED and not confirm(row, now_s=now_s, known=known):
            _is_discrepancy(row, PaymentRow.PAID_TWICE)
        if row.standing != Standing.MATCHED:
            auditing.record(
                action=f"payment.{row.standing}",
                subject=payment.terms.purchase_id,
                now_s=now_s,
                detail={
                    "tx_hash": payment.tx_hash,
                    "ledger": payment.ledger,
                    "differs_in": row.differs_in,
                },
            )
        return True


def confirm(row: PaymentRow, *, now_s: float, known: State | None = None) -> bool:
    """Move the purchase that `row` pays for."""
    moved = move(
        row.purchase_ref,
        Event.PAY,
        now_s=now_s,
        changes={
            "paid_tx_hash": row.tx_hash,
            "paid_ledger": row.ledger,
            "paid_at_s": row.closed_at_s,
            "problem": "",
            "problem_detail": "",
            "due_at_ms": int(now_s * 1000),
        },
        detail={"tx_hash": row.tx_hash, "ledger": row.ledger},
        known=known,
    )
    if moved:
        nudging.advance(row.purchase_ref)
    return moved


def _judge(payment: Payment, purchase: Purchase | None) -> tuple[str, str]:
    if purchase is None:
        return Standing.UNCLAIMED, ""
    found = differences(payment.terms, terms_of(purchase))
    return (Standing.DISCREPANCY, ",".join(found)) if found else (Standing.MATCHED, "")


def _is_discrepancy(row: PaymentRow, why: str) -> None:
    row.standing, row.differs_in = Standing.DISCREPANCY, why
    row.save(update_fields=["standing", "differs_in"])


def _columns(payment: Payment) -> dict[str, object]:
    terms = asdict(payment.terms)
    del terms["purchase_id"], terms["buyer"]
    return {**terms, "ledger": payment.ledger, "closed_at_s": payment.closed_at_s}
