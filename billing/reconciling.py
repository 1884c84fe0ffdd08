"""Chain against rows: every payment should have its grant, and every paid grant its payment.

Reads what the follower recorded; reports, and changes nothing. `recover` is how a payment without a
grant is made good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q

from billing.domain.purchases import State
from billing.models import GrantedToken, Payment, Purchase
from gateway.models import GrantLedger

# Confirmed is left within a second; submitted within an envelope's life and a few closes.
STUCK_SECONDS = 300


class Finding(StrEnum):
    PAYMENT_WITHOUT_PURCHASE = "payment_without_purchase"
    PAYMENT_DIFFERS = "payment_differs"
    PAYMENT_WITHOUT_GRANT = "payment_without_grant"
    GRANT_WITHOUT_PAYMENT = "grant_without_payment"
    GRANT_WITHOUT_LEDGER = "grant_without_ledger"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    finding: Finding
    purchase_id: str
    detail: str


def reconcile(*, now_s: float) -> list[Discrepancy]:
    return [*_payments(), *_ungranted(now_s), *_unpaid(), *_without_ledger(), *_stuck(now_s)]


def _payments() -> Iterator[Discrepancy]:
    odd = Payment.objects.exclude(standing=Payment.Standing.MATCHED).order_by("pk")
    for row in odd.iterator():
        unclaimed = row.standing == Payment.Standing.UNCLAIMED
        finding = Finding.PAYMENT_WITHOUT_PURCHASE if unclaimed else Finding.PAYMENT_DIFFERS
        yield Discrepancy(finding, row.purchase_ref, f"{row.tx_hash} {row.differs_in}".strip())


def _ungranted(now_s: float) -> Iterator[Discrepancy]:
    granted = GrantedToken.objects.filter(purchase_id=OuterRef("purchase_ref"))
    paid = Payment.objects.filter(
        ~Exists(granted), standing=Payment.Standing.MATCHED, seen_at_s__lt=now_s - STUCK_SECONDS
    )
    for row in paid.iterator():
        yield Discrepancy(Finding.PAYMENT_WITHOUT_GRANT, row.purchase_ref, row.tx_hash)


def _unpaid() -> Iterator[Discrepancy]:
    payment = Payment.objects.filter(
        purchase_ref=OuterRef("purchase_id"),
        standing=Payment.Standing.MATCHED,
        amount=OuterRef("purchase__amount"),
        tx_hash=OuterRef("purchase__paid_tx_hash"),
    )
    unpaid = GrantedToken.objects.filter(~Exists(payment), purchase__amount__gt=0)
    for row in unpaid.select_related("purchase").iterator():
        tx_hash = row.purchase.paid_tx_hash or "no transaction"
        yield Discrepancy(Finding.GRANT_WITHOUT_PAYMENT, row.purchase_id, tx_hash)


def _without_ledger() -> Iterator[Discrepancy]:
    ledger = GrantLedger.objects.filter(pk=OuterRef("purchase_id"))
    for row in GrantedToken.objects.filter(~Exists(ledger)).iterator():
        yield Discrepancy(Finding.GRANT_WITHOUT_LEDGER, row.purchase_id, row.kid)


def _stuck(now_s: float) -> Iterator[Discrepancy]:
    waiting = Q(state__in=[State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED])
    for row in Purchase.objects.filter(waiting, moved_at_s__lt=now_s - STUCK_SECONDS).iterator():
        yield Discrepancy(Finding.STUCK, row.pk, f"{row.state} since {row.moved_at_s}")
