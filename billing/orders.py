"""A purchase's row as the values that the rail and the domain work with."""

from billing.domain.payments import Terms
from billing.models import Payment, Purchase
from billing.rails.port import Instruction, Order
from marketplace.domain import quotes
from marketplace.domain.quotes import SignedQuote


def quote_of(purchase: Purchase) -> SignedQuote:
    return quotes.from_json(purchase.quote)


def order_of(purchase: Purchase) -> Order:
    return Order(
        purchase_id=bytes.fromhex(purchase.pk),
        buyer=purchase.buyer,
        access_key=bytes.fromhex(purchase.access_key),
        quote=quote_of(purchase),
    )


def instruction_of(purchase: Purchase) -> Instruction:
    return Instruction(
        signing_hash=bytes.fromhex(purchase.signing_hash),
        preimage=purchase.preimage,
        entry=purchase.entry,
        valid_until=purchase.valid_until or 0,
        latest=purchase.instructed_at_ledger or 0,
        transaction=purchase.transaction,
        link=purchase.link,
    )


def terms_of(purchase: Purchase) -> Terms:
    """What a payment for this purchase must say."""
    return Terms(
        purchase_id=purchase.pk,
        buyer=purchase.buyer,
        digest=purchase.digest,
        access_key=purchase.access_key,
        asset=purchase.asset,
        amount=purchase.amount,
        fee=purchase.fee,
        payee=purchase.payee,
        treasury=purchase.treasury,
    )


def paid_terms(row: Payment) -> Terms:
    """What a payment that was seen says."""
    return Terms(
        purchase_id=row.purchase_ref,
        buyer=row.buyer,
        digest=row.digest,
        access_key=row.access_key,
        asset=row.asset,
        amount=row.amount,
        fee=row.fee,
        payee=row.payee,
        treasury=row.treasury,
    )
