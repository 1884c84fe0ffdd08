"""The grant for a payment that is on chain, for whoever shows the quote that was paid.

Needs neither the purchase's row nor the follower's: what is missing is made again from the quote
and the payment, which together say everything that was sold.
"""

from dataclasses import replace

from django.db import transaction

from billing import auditing, conf, confirming, granting, instructing
from billing.domain.errors import PaymentNotFound
from billing.domain.payments import Terms, differences
from billing.domain.purchases import PAID, State
from billing.models import Payment as PaymentRow
from billing.models import Purchase
from billing.orders import paid_terms
from marketplace.domain.quotes import SignedQuote

# A search reads a week of the contract's events; a buyer needs one, once.
SEARCHES_PER_NETWORK_MINUTE = 30


def recover(purchase_id: str, quote: SignedQuote, *, client_network: str, now_s: float) -> Purchase:
    purchase = Purchase.objects.filter(pk=purchase_id).first()
    if purchase is None or purchase.state not in PAID:
        row = _payment(purchase_id, quote, client_network=client_network, now_s=now_s)
        if purchase is None and row != _first(row):
            raise PaymentNotFound("Another payment was the first with this purchase id.")
        with transaction.atomic():
            if purchase is None:
                _make(row, quote, now_s=now_s)
            if confirming.confirm(row, now_s=now_s):
                row.standing = PaymentRow.Standing.MATCHED
                row.save(update_fields=["standing"])
    elif purchase.digest != quote.digest:
        raise PaymentNotFound("This purchase was paid by another quote.")
    granting.issue(purchase_id, now_s=now_s)
    return Purchase.objects.get(pk=purchase_id)


def _payment(
    purchase_id: str, quote: SignedQuote, *, client_network: str, now_s: float
) -> PaymentRow:
    """The payment that equals the quote, from our rows or else from the chain."""
    network = conf.rail().network
    row = _known(purchase_id, quote, network)
    if row is None:
        instructing.check_often("recover", client_network, SEARCHES_PER_NETWORK_MINUTE, now_s=now_s)
        for payment in conf.rail().find_payments(quote.digest):
            if payment.terms.purchase_id == purchase_id:
                confirming.record(payment, network=network, now_s=now_s)
        row = _known(purchase_id, quote, network)
    if row is None:
        raise PaymentNotFound("No payment for this quote and purchase id is on chain.")
    return row


def _known(purchase_id: str, quote: SignedQuote, network: str) -> PaymentRow | None:
    rows = PaymentRow.objects.filter(network=network, purchase_ref=purchase_id).order_by("ledger")
    for row in rows:
        expected = _expected(quote, row)
        if not differences(paid_terms(row), expected):
            return row
    return None


def _first(row: PaymentRow) -> PaymentRow | None:
    """An id is public once it was paid with: whoever pays with it later gets no grant by it."""
    same = PaymentRow.objects.filter(network=row.network, purchase_ref=row.purchase_ref)
    return same.order_by("ledger", "pk").first()


def _expected(quote: SignedQuote, row: PaymentRow) -> Terms:
    """What the quote fixes; buyer and access key are the payment's own, where no row says other."""
    expected = Terms(
        purchase_id=row.purchase_ref,
        buyer=row.buyer,
        digest=quote.digest,
        access_key=row.access_key,
        asset=quote.sac,
        amount=quote.amount,
        fee=quote.fee,
        payee=quote.payee,
        treasury=quote.treasury,
    )
    purchase = Purchase.objects.filter(pk=row.purchase_ref).first()
    if purchase is None:
        return expected
    return replace(
        expected, buyer=purchase.buyer, access_key=purchase.access_key, digest=purchase.digest
    )


def _make(row: PaymentRow, quote: SignedQuote, *, now_s: float) -> None:
    """The lost purchase. It has no instruction any more, and needs none."""
    terms = {
        "state": State.SUBMITTED,
        "moved_at_s": int(now_s),
        "created_at_s": int(now_s),
        "network": row.network,
        "contract": conf.rail().contract,
        "buyer": row.buyer,
        "access_key": row.access_key,
        "digest": quote.digest,
        "route": quote.route,
        "asset": quote.sac,
        "asset_code": quote.asset,
        "amount": quote.amount,
        "fee": quote.fee,
        "payee": quote.payee,
        "treasury": quote.treasury,
        "quote": quote.to_json(),
        "expires_at_s": quote.expires_at,
        "signing_hash": "",
        "authorized_at_s": row.closed_at_s,
    }
    _, made = Purchase.objects.get_or_create(pk=row.purchase_ref, defaults=terms)
    if made:  # Somebody else may have asked at the same moment.
        auditing.record(
            action="purchase.recover",
            subject=row.purchase_ref,
            now_s=now_s,
            actor=row.buyer,
            detail={"digest": quote.digest, "tx_hash": row.tx_hash},
        )
