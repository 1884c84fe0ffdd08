"""The chain against rows, read anew from the oldest ledger that the network keeps.

The follower's cursor is not asked, so a payment that it lost, or that somebody removed from the
rows or added to them, is found here.
"""

from collections.abc import Iterator, Sequence

from billing import conf
from billing.advancing import followed_ledger
from billing.domain.discrepancies import Finding
from billing.domain.payments import Payment, differences
from billing.models import Payment as PaymentRow
from billing.orders import paid_terms
from billing.rails.port import Page
from billing.reconciling import Found

Key = tuple[str, str, str]  # Transaction, buyer and purchase id.


def retrace() -> Iterator[Found]:
    """Raises `NetworkUnavailable`: what was found until then holds, what was not says nothing."""
    reach = followed_ledger()
    cursor, told_up_to, ahead = "", 0, frozenset[Key]()
    while True:
        page = conf.rail().payments_after(cursor)
        told_up_to = max(told_up_to, page.followed.oldest_ledger - 1)
        yield from _judge(page.payments, reach)
        keys = ahead | {_key(payment) for payment in page.payments}
        yield from _invented(keys, after=told_up_to, up_to=page.followed.ledger)
        # A full page may end within a ledger.
        ahead = frozenset(_key(p) for p in page.payments if p.ledger > page.followed.ledger)
        if _is_last(page, cursor):
            return
        cursor, told_up_to = page.cursor, max(told_up_to, page.followed.ledger)


def _is_last(page: Page, cursor: str) -> bool:
    return page.followed.ledger >= page.latest_ledger or page.cursor == cursor


def _judge(payments: Sequence[Payment], reach: int) -> Iterator[Found]:
    hashes = [payment.tx_hash for payment in payments]
    rows = PaymentRow.objects.filter(network=conf.rail().network, tx_hash__in=hashes)
    known = {(row.tx_hash, row.buyer, row.purchase_ref): row for row in rows}
    for payment in payments:
        row, subject = known.get(_key(payment)), payment.terms.purchase_id
        if row is None:
            if payment.ledger <= reach:
                detail = f"paid {payment.terms.amount} in ledger {payment.ledger}"
                yield Found(Finding.NOT_RECORDED, subject, detail, payment.tx_hash)
        elif differs := _differing(payment, row):
            yield Found(Finding.RECORDED_WRONGLY, subject, ", ".join(differs), payment.tx_hash)


def _differing(payment: Payment, row: PaymentRow) -> list[str]:
    differs = list(differences(payment.terms, paid_terms(row)))
    if (payment.ledger, payment.closed_at_s) != (row.ledger, row.closed_at_s):
        differs.append("ledger")
    return differs


def _invented(told: frozenset[Key], *, after: int, up_to: int) -> Iterator[Found]:
    rows = PaymentRow.objects.filter(
        network=conf.rail().network, ledger__gt=after, ledger__lte=up_to
    )
    for row in rows.iterator():
        if (row.tx_hash, row.buyer, row.purchase_ref) not in told:
            yield Found(Finding.NOT_ON_CHAIN, row.purchase_ref, f"ledger {row.ledger}", row.tx_hash)


def _key(payment: Payment) -> Key:
    return payment.tx_hash, payment.terms.buyer, payment.terms.purchase_id
