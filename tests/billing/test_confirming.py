"""Evidence counts only when all of it equals the row. Whatever else is seen is written down."""

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from billing import auditing, conf, confirming
from billing.domain.audit import Intact
from billing.domain.payments import Terms
from billing.models import AuditEntry, EventCursor, GrantedToken, Payment
from billing.orders import terms_of
from billing.rails.port import Unreadable
from tests.billing.buying import person
from tests.billing.working import Shop, state_of
from tests.fakes.rail import FakeRail

OTHER = {"amount": 1, "fee": 1, "buyer": person("other").address}
FIELDS = [field.name for field in fields(Terms) if field.name != "purchase_id"]


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


@pytest.mark.parametrize("name", FIELDS)
def test_payment_that_differs_in_one_field_is_a_discrepancy(shop: Shop, name: str) -> None:
    purchase = shop.instruct()
    shop.rail.pay(replace(terms_of(purchase), **{name: OTHER.get(name, "00" * 28)}))
    shop.turn()
    assert state_of(purchase) == "instructed"
    row = Payment.objects.get()
    assert (row.standing, row.differs_in) == ("discrepancy", name)
    entry = AuditEntry.objects.get(action="payment.discrepancy")
    assert (entry.subject, entry.detail["differs_in"]) == (purchase.pk, name)


def test_discrepancy_does_not_burn_the_purchase(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.pay(replace(terms_of(purchase), buyer=OTHER["buyer"]), tx_hash="cd" * 32)
    shop.turn()
    shop.rail.pay(terms_of(purchase))
    shop.turn()
    assert state_of(purchase) == "granted"


def test_payment_of_an_unknown_purchase_is_kept_as_unclaimed(shop: Shop) -> None:
    terms = replace(terms_of(shop.instruct()), purchase_id="ff" * 32)
    shop.rail.pay(terms)
    shop.turn()
    assert Payment.objects.get().standing == "unclaimed"
    assert AuditEntry.objects.filter(action="payment.unclaimed", subject="ff" * 32).exists()


def test_payment_told_twice_is_recorded_once(shop: Shop) -> None:
    purchase = shop.instruct()
    payment = shop.rail.pay(terms_of(purchase))
    told = [confirming.record(payment, network="fake", now_s=shop.now_s) for _ in range(3)]
    assert told == [True, False, False]
    assert AuditEntry.objects.filter(action="purchase.pay").count() == 1


def test_second_payment_of_a_granted_purchase_is_a_discrepancy(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.pay(terms_of(purchase))
    shop.turn()
    shop.rail.pay(terms_of(purchase), tx_hash="cd" * 32)
    shop.turn()
    standings = dict(Payment.objects.values_list("tx_hash", "standing"))
    assert standings == {"ab" * 32: "matched", "cd" * 32: "discrepancy"}
    assert GrantedToken.objects.count() == 1


def test_payment_on_another_network_is_not_this_purchases(shop: Shop) -> None:
    purchase = shop.instruct()
    payment = shop.rail.pay(terms_of(purchase))
    confirming.record(payment, network="elsewhere", now_s=shop.now_s)
    assert state_of(purchase) == "instructed"


def test_event_that_is_not_a_purchase_is_audited_once_and_passed(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.told.append(Unreadable("ee" * 32, 7, "topics are not those of a purchase"))
    shop.rail.pay(terms_of(purchase))
    shop.turn()
    shop.turn()
    assert AuditEntry.objects.filter(action="payment.unreadable").count() == 1
    assert state_of(purchase) == "granted"


def test_cursor_moves_only_with_what_it_has_passed(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.pay(terms_of(purchase))
    shop.turn()
    cursor = EventCursor.objects.get()
    assert (cursor.cursor, cursor.followed_ledger) == ("1", shop.rail.ledger)
    EventCursor.objects.update(cursor="")  # As if it had died before the cursor was kept.
    shop.turn()
    assert Payment.objects.count() == 1
    assert GrantedToken.objects.count() == 1


def test_stale_node_does_not_move_what_was_followed_back(shop: Shop) -> None:
    shop.instruct()
    shop.turn()
    followed = EventCursor.objects.get().followed_ledger
    shop.rail.ledger -= 50
    shop.turn()
    assert EventCursor.objects.get().followed_ledger == followed


def test_audit_of_all_this_is_intact(shop: Shop) -> None:
    for _ in range(3):
        shop.rail.pay(terms_of(shop.instruct()), tx_hash="ab" * 32)
    shop.turn()
    assert isinstance(auditing.verify(), Intact)
