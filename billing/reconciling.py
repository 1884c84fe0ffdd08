"""Rows against rows: every payment should have its grant, and every paid grant its payment.

Reads what the follower recorded and what was sold; changes nothing. What the chain itself says is
compared in retracing.py; noting.py keeps what both find. `recover` is how a payment without a grant
is made good.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.domain.discrepancies import Finding
from billing.domain.purchases import PAID, State
from billing.granting import grant_of
from billing.limiting import Allowed
from billing.models import ChainTransaction, GrantedToken, Payment, Purchase
from gateway.domain import ed25519, jws
from gateway.domain.tokens import Grant, Starts
from gateway.models import GrantLedger, VerifyingKey
from marketplace.domain.quotes import QuoteError

# Confirmed is left within a second; submitted within an envelope's life and a few closes.
STUCK_SECONDS = 300
BATCH = 500

# A gateway's address may change; what was sold to whom may not.
NOT_OF_THE_SALE = frozenset({"iss", "aud"})


@dataclass(frozen=True, slots=True)
class Found:
    finding: Finding
    subject: str  # The purchase's id.
    detail: str = ""
    reference: str = ""  # A transaction's hash, where one purchase may have several.


def reconcile(*, now_s: float) -> Iterator[Found]:
    return chain(
        _odd_payments(),
        _ungranted(now_s),
        _unpaid(),
        _otherwise_paid(),
        _tokens(),
        _ledgers_of_nobody(),
        _stuck(now_s),
        _transactions_stuck(now_s),
    )


def _odd_payments() -> Iterator[Found]:
    odd = Payment.objects.exclude(standing=Payment.Standing.MATCHED).order_by("pk")
    for row in odd.iterator():
        detail = row.differs_in
        if row.standing == Payment.Standing.UNCLAIMED:
            finding = Finding.WITHOUT_PURCHASE
        elif row.differs_in == Payment.PAID_TWICE:
            finding = Finding.PAID_TWICE
        else:
            finding, detail = Finding.DIFFERS, f"{detail}; paid {row.amount}, fee {row.fee}"
        yield Found(finding, row.purchase_ref, detail, row.tx_hash)


def _ungranted(now_s: float) -> Iterator[Found]:
    granted = GrantedToken.objects.filter(purchase_id=OuterRef("purchase_ref"))
    paid = Payment.objects.filter(
        ~Exists(granted), standing=Payment.Standing.MATCHED, seen_at_s__lt=now_s - STUCK_SECONDS
    )
    for row in paid.iterator():
        yield Found(Finding.WITHOUT_GRANT, row.purchase_ref, f"paid {row.amount}", row.tx_hash)


def _unpaid() -> Iterator[Found]:
    unpaid = GrantedToken.objects.filter(~Exists(_payment_of("purchase__")), purchase__amount__gt=0)
    for row in unpaid.select_related("purchase").iterator():
        tx_hash = row.purchase.paid_tx_hash
        yield Found(Finding.WITHOUT_PAYMENT, row.purchase_id, tx_hash or "no transaction")


def _otherwise_paid() -> Iterator[Found]:
    """A payment matched when it was seen; if it does not now, one of the two rows was changed."""
    paid = Purchase.objects.filter(Exists(_payment_of("")), state__in=PAID, amount__gt=0)
    same = {name: OuterRef(name) for name in ("amount", "fee", "asset", "payee", "treasury")}
    for row in paid.filter(~Exists(_payment_of("").filter(**same))).iterator():
        yield Found(Finding.AMOUNT_DIFFERS, row.pk, f"the price is {row.amount}", row.paid_tx_hash)


def _payment_of(purchase: str) -> QuerySet[Payment]:
    return Payment.objects.filter(
        purchase_ref=OuterRef(f"{purchase}pk"),
        tx_hash=OuterRef(f"{purchase}paid_tx_hash"),
        standing=Payment.Standing.MATCHED,
    )


def _tokens() -> Iterator[Found]:
    """What the token says and its ledger allows, against what was sold."""
    keys = dict(VerifyingKey.objects.values_list("kid", "public_key"))
    rows = GrantedToken.objects.select_related("purchase").order_by("pk").iterator(BATCH)
    while batch := list(islice(rows, BATCH)):
        ids = [row.purchase_id for row in batch]
        ledgers, allowed = GrantLedger.objects.in_bulk(ids), Allowed.of(ids)
        for row in batch:
            yield from _judge(row, ledgers.get(row.purchase_id), allowed, keys)


def _judge(
    row: GrantedToken, ledger: GrantLedger | None, allowed: Allowed, keys: Mapping[str, str]
) -> Iterator[Found]:
    try:
        grant = grant_of(row.purchase)
        said = jws.parse(row.token)
    except (QuoteError, ValueError) as problem:
        yield Found(Finding.TOKEN_DIFFERS, row.purchase_id, f"cannot be read: {problem}"[:200])
        return
    public_key = bytes.fromhex(keys.get(row.kid, ""))
    if not ed25519.verify(public_key, said.signing_input, said.signature):
        yield Found(Finding.TOKEN_DIFFERS, row.purchase_id, "signature")
    elif differs := _differing(said.payload, json.loads(json.dumps(grant.claims()))):
        yield Found(Finding.TOKEN_DIFFERS, row.purchase_id, differs)
    if ledger is None:
        yield Found(Finding.WITHOUT_LEDGER, row.purchase_id, row.kid)
    elif differs := _differing(_allowed(ledger), _sold(grant)) or allowed.differs(grant):
        yield Found(Finding.LEDGER_DIFFERS, row.purchase_id, differs)


def _differing(told: Mapping[str, object], sold: Mapping[str, object]) -> str:
    names = sorted((told.keys() | sold.keys()) - NOT_OF_THE_SALE)
    return ", ".join(name for name in names if told.get(name) != sold.get(name))


def _allowed(ledger: GrantLedger) -> dict[str, object]:
    return {
        "route": ledger.route,
        "limits": ledger.limits,
        "not_before": ledger.not_before,
        "expires_at": ledger.expires_at,
        "access_seconds": ledger.access_seconds,
    }


def _sold(grant: Grant) -> dict[str, object]:
    first_use = grant.starts is Starts.FIRST_USE
    return {
        "route": grant.route,
        "limits": [limit.terms() for limit in grant.limits],
        "not_before": grant.not_before,
        "expires_at": grant.expires_at,
        "access_seconds": grant.access_seconds if first_use else None,
    }


def _ledgers_of_nobody() -> Iterator[Found]:
    token = GrantedToken.objects.filter(purchase_id=OuterRef("pk"))
    for grant_id, route in (
        GrantLedger.objects.filter(~Exists(token)).values_list("pk", "route").iterator()
    ):
        yield Found(Finding.LEDGER_WITHOUT_GRANT, grant_id, route)


def _stuck(now_s: float) -> Iterator[Found]:
    waiting = Q(state__in=[State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED])
    for row in Purchase.objects.filter(waiting, moved_at_s__lt=now_s - STUCK_SECONDS).iterator():
        yield Found(Finding.STUCK, row.pk, f"{row.state} since {row.moved_at_s}")


def _transactions_stuck(now_s: float) -> Iterator[Found]:
    """Past its last moment an envelope is soon known to be applied, failed or dead."""
    late = ChainTransaction.objects.filter(
        state__in=ChainTransaction.OPEN, last_moment_s__lt=now_s - STUCK_SECONDS
    )
    for row in late.iterator():
        yield Found(Finding.TRANSACTION_STUCK, row.purchase_id, row.state, row.tx_hash)
