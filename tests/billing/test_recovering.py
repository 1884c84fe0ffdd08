"""A payment without its row, asked for by many at once."""

from billing import recovering
from billing.models import AuditEntry, GrantedToken, Purchase
from billing.orders import quote_of, terms_of
from tests.billing.test_submitting import shop, together
from tests.billing.working import Shop, state_of

__all__ = ["shop"]


def test_many_recoveries_of_a_lost_row_make_one_grant(shop: Shop) -> None:
    lost = shop.instruct()
    lost_id, quote = lost.pk, quote_of(lost)
    shop.rail.pay(terms_of(lost))
    lost.delete()
    network, now_s = "192.0.2.0/24", shop.now_s
    together(8, lambda: recovering.recover(lost_id, quote, client_network=network, now_s=now_s))
    assert state_of(Purchase.objects.get()) == "granted"
    assert GrantedToken.objects.get().purchase_id == lost_id
    told = AuditEntry.objects.filter(subject=lost_id).order_by("number")
    assert list(told.values_list("action", flat=True)) == [
        "purchase.instruct",
        "payment.unclaimed",
        "purchase.recover",
        "purchase.pay",
        "purchase.grant",
    ]
