"""What nobody signed is forgotten in time, a bounded number at once; everything else stays."""

import pytest

from billing import auditing, tidying
from billing.domain import idempotency
from billing.domain.audit import Intact
from billing.models import AuditEntry, IdempotentRequest, Purchase
from tests.billing.test_submitting import shop
from tests.billing.working import Shop, state_of

__all__ = ["shop"]

DAY_S = 86_400


def expire_all(shop: Shop) -> None:
    shop.rail.pass_ledgers(400)
    for _ in range(3):
        shop.turn(seconds=1200)


def tidy(shop: Shop, *, days_later: float) -> int:
    return tidying.tidy(kept_s=30 * DAY_S, now_s=shop.now_s + days_later * DAY_S)


def test_expired_purchase_that_nobody_signed_goes_after_its_time(shop: Shop) -> None:
    purchase = shop.instruct()
    expire_all(shop)
    assert state_of(purchase) == "expired"
    assert tidy(shop, days_later=29) == 0
    assert tidy(shop, days_later=31) == 1
    assert not Purchase.objects.exists()
    said = AuditEntry.objects.filter(subject=purchase.pk).values_list("action", flat=True)
    assert "purchase.instruct" in said
    assert AuditEntry.objects.get(action="purchase.forget").detail["count"] == 1
    assert isinstance(auditing.verify(), Intact)


def test_open_signed_and_paid_purchases_stay(shop: Shop) -> None:
    granted = shop.authorized()
    shop.turn()
    shop.rail.close_ledger()
    shop.turn()
    assert state_of(granted) == "granted"
    open_ = shop.instruct()
    assert tidy(shop, days_later=1000) == 0
    assert {granted.pk, open_.pk} == set(Purchase.objects.values_list("pk", flat=True))


def test_expired_purchase_that_was_signed_stays(shop: Shop) -> None:
    shop.authorized()
    Purchase.objects.update(state="expired", moved_at_s=0)
    assert tidy(shop, days_later=1000) == 0
    assert Purchase.objects.exists()


def test_only_so_many_go_at_a_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "ROWS_MAX", 2)
    for _ in range(3):
        shop.instruct()
    expire_all(shop)
    assert [tidy(shop, days_later=31) for _ in range(3)] == [2, 1, 0]


def test_answers_are_forgotten_after_a_day(shop: Shop) -> None:
    for number, age_s in enumerate((0, idempotency.REMEMBERED_SECONDS)):
        IdempotentRequest.objects.create(
            buyer="G", key=str(number), fingerprint="", claimed_at_s=shop.now_s - age_s
        )
    assert tidy(shop, days_later=0) == 1
    assert IdempotentRequest.objects.get().key == "0"
