"""Every discrepancy is named, and a sound ledger has none."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection

from billing import conf
from billing.models import GrantedToken, Payment, Purchase
from billing.orders import terms_of
from billing.reconciling import STUCK_SECONDS, Finding, reconcile
from gateway.models import GrantLedger
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def granted(shop: Shop) -> Purchase:
    purchase = shop.instruct()
    shop.rail.pay(terms_of(purchase))
    shop.turn()
    return purchase


def found(shop: Shop, *, later_s: int = STUCK_SECONDS + 60) -> list[tuple[Finding, str]]:
    return [(row.finding, row.purchase_id) for row in reconcile(now_s=shop.now_s + later_s)]


def test_sound_ledger_has_no_discrepancy(shop: Shop) -> None:
    granted(shop)
    assert found(shop) == []


def test_payment_without_purchase_is_found(shop: Shop) -> None:
    shop.rail.pay(replace(terms_of(shop.instruct()), purchase_id="ff" * 32))
    shop.turn()
    assert found(shop) == [(Finding.PAYMENT_WITHOUT_PURCHASE, "ff" * 32)]


def test_payment_that_differs_is_found(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.pay(replace(terms_of(purchase), amount=1))
    shop.turn()
    assert found(shop) == [(Finding.PAYMENT_DIFFERS, purchase.pk)]


def test_payment_without_grant_and_stuck_purchase_are_found(shop: Shop) -> None:
    purchase = granted(shop)
    drop_triggers()
    GrantedToken.objects.all().delete()
    Purchase.objects.update(state="confirmed")
    assert found(shop) == [
        (Finding.PAYMENT_WITHOUT_GRANT, purchase.pk),
        (Finding.STUCK, purchase.pk),
    ]
    assert found(shop, later_s=0) == []


def test_grant_without_payment_is_found(shop: Shop) -> None:
    purchase = granted(shop)
    Payment.objects.all().delete()
    assert found(shop) == [(Finding.GRANT_WITHOUT_PAYMENT, purchase.pk)]


def test_grant_without_ledger_is_found(shop: Shop) -> None:
    purchase = granted(shop)
    ledger = GrantLedger.objects.get()
    ledger.limiters.all().delete()
    ledger.delete()
    assert found(shop) == [(Finding.GRANT_WITHOUT_LEDGER, purchase.pk)]


def test_free_grant_needs_no_payment(shop: Shop) -> None:
    shop.authorized(amount=0)
    shop.turn()
    assert GrantedToken.objects.count() == 1
    assert found(shop) == []


def drop_triggers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER billing_grantedtoken_delete")
