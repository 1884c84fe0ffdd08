"""Every discrepancy is named, and sound books have none."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing import auditing, conf, noting
from billing.domain.audit import Intact
from billing.domain.discrepancies import Finding
from billing.domain.errors import NetworkUnavailable
from billing.models import ChainTransaction, Discrepancy, GrantedToken, Payment, Purchase
from billing.orders import terms_of
from billing.reconciling import STUCK_SECONDS, Found, reconcile
from billing.retracing import retrace
from gateway.domain.limits import Credits
from gateway.ledgers import booking
from gateway.models import GrantLedger, LimiterLedger
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail

LATER_S = STUCK_SECONDS + 60


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def granted(shop: Shop) -> Purchase:
    """Paid from elsewhere, so that no envelope of ours is under way."""
    purchase = shop.instruct()
    shop.rail.pay(terms_of(purchase), tx_hash=purchase.pk)
    shop.turn()
    purchase.refresh_from_db()
    assert purchase.state == "granted"
    return purchase


def found(shop: Shop, *, later_s: int = LATER_S) -> list[tuple[Finding, str]]:
    looks = [*reconcile(now_s=shop.now_s + later_s), *retrace()]
    return [(row.finding, row.subject) for row in looks]


def without_purchase(shop: Shop) -> str:
    shop.rail.pay(replace(terms_of(shop.instruct()), purchase_id="ff" * 32), tx_hash="01" * 32)
    shop.turn()
    return "ff" * 32


def smaller_amount(shop: Shop) -> str:
    purchase = shop.instruct()
    shop.rail.pay(replace(terms_of(purchase), amount=1), tx_hash="02" * 32)
    shop.turn()
    return purchase.pk


def paid_twice(shop: Shop) -> str:
    purchase = granted(shop)
    shop.rail.pay(terms_of(purchase), tx_hash="03" * 32)
    shop.turn()
    return purchase.pk


def amount_changed(shop: Shop) -> str:
    """In the purchase's row alone: the quote and the token still say what was sold."""
    purchase = granted(shop)
    Purchase.objects.filter(pk=purchase.pk).update(fee=1, treasury=purchase.buyer)
    return purchase.pk


def token_lost(shop: Shop) -> str:
    purchase = granted(shop)
    without_triggers("DELETE FROM billing_grantedtoken WHERE purchase_id = %s", purchase.pk)
    LimiterLedger.objects.filter(grant=purchase.pk).delete()
    GrantLedger.objects.filter(pk=purchase.pk).delete()
    return purchase.pk


def payment_lost(shop: Shop) -> str:
    purchase = granted(shop)
    purchase.paid_tx_hash = "04" * 32
    purchase.save()
    return purchase.pk


def token_exchanged(shop: Shop) -> str:
    one, other = granted(shop), granted(shop)
    token = GrantedToken.objects.get(purchase=other).token
    without_triggers(
        "UPDATE billing_grantedtoken SET token = %s WHERE purchase_id = %s", token, one.pk
    )
    return one.pk


def ledger_lost(shop: Shop) -> str:
    purchase = granted(shop)
    LimiterLedger.objects.filter(grant=purchase.pk).delete()
    GrantLedger.objects.filter(pk=purchase.pk).delete()
    return purchase.pk


def ledger_widened(shop: Shop) -> str:
    purchase = granted(shop)
    GrantLedger.objects.filter(pk=purchase.pk).update(expires_at=2**40)
    return purchase.pk


def limiter_widened(shop: Shop) -> str:
    purchase = granted(shop)
    LimiterLedger.objects.filter(grant=purchase.pk).update(limit=11)
    return purchase.pk


def limiter_lost(shop: Shop) -> str:
    purchase = granted(shop)
    LimiterLedger.objects.filter(grant=purchase.pk).delete()
    return purchase.pk


def limiter_exchanged(shop: Shop) -> str:
    purchase = granted(shop)
    LimiterLedger.objects.filter(grant=purchase.pk).update(kind="messages")
    return purchase.pk


def ledger_of_nobody(shop: Shop) -> str:
    made = GrantLedger(pk="ee" * 32, route="a/b", limits=[], not_before=0, expires_at=2**40)
    made.save(force_insert=True)
    return made.pk


def stuck(shop: Shop) -> str:
    purchase = shop.authorized()
    Purchase.objects.filter(pk=purchase.pk).update(due_at_ms=None)
    return purchase.pk


def transaction_stuck(shop: Shop) -> str:
    purchase = granted(shop)
    ChainTransaction.objects.create(
        purchase=purchase,
        tx_hash="05" * 32,
        envelope="",
        last_moment_s=int(shop.now_s),
        built_at_ledger=1,
        created_at_s=int(shop.now_s),
    )
    return purchase.pk


def not_recorded(shop: Shop) -> str:
    purchase = granted(shop)
    Payment.objects.filter(purchase_ref=purchase.pk).delete()
    return purchase.pk


def not_on_chain(shop: Shop) -> str:
    purchase = granted(shop)
    shop.rail.told.pop()
    return purchase.pk


def recorded_wrongly(shop: Shop) -> str:
    purchase = granted(shop)
    Payment.objects.filter(purchase_ref=purchase.pk).update(closed_at_s=1)
    return purchase.pk


SEEDED: dict[Callable[[Shop], str], set[Finding]] = {
    without_purchase: {Finding.WITHOUT_PURCHASE},
    smaller_amount: {Finding.DIFFERS},
    paid_twice: {Finding.PAID_TWICE},
    amount_changed: {Finding.AMOUNT_DIFFERS},
    token_lost: {Finding.WITHOUT_GRANT},
    payment_lost: {Finding.WITHOUT_PAYMENT, Finding.TOKEN_DIFFERS},
    token_exchanged: {Finding.TOKEN_DIFFERS},
    ledger_lost: {Finding.WITHOUT_LEDGER},
    ledger_widened: {Finding.LEDGER_DIFFERS},
    limiter_widened: {Finding.LEDGER_DIFFERS},
    limiter_lost: {Finding.LEDGER_DIFFERS},
    limiter_exchanged: {Finding.LEDGER_DIFFERS},
    ledger_of_nobody: {Finding.LEDGER_WITHOUT_GRANT},
    stuck: {Finding.STUCK},
    transaction_stuck: {Finding.TRANSACTION_STUCK},
    not_recorded: {Finding.NOT_RECORDED, Finding.WITHOUT_PAYMENT},
    not_on_chain: {Finding.NOT_ON_CHAIN},
    recorded_wrongly: {Finding.RECORDED_WRONGLY},
}


def test_every_finding_is_seeded_by_some_test() -> None:
    assert set().union(*SEEDED.values()) == set(Finding)


def test_sound_books_have_no_discrepancy(shop: Shop) -> None:
    granted(shop)
    shop.authorized(amount=0)
    shop.turn()
    assert GrantedToken.objects.count() == 2
    assert found(shop) == []


@pytest.mark.parametrize("seed", SEEDED, ids=lambda seed: seed.__name__)
def test_discrepancy_is_found_and_named(shop: Shop, seed: Callable[[Shop], str]) -> None:
    granted(shop)
    subject = seed(shop)
    assert set(found(shop)) == {(finding, subject) for finding in SEEDED[seed]}


def test_credits_that_were_given_are_no_discrepancy(shop: Shop) -> None:
    purchase = shop.instruct(limits=(Credits(5).terms(),))
    shop.rail.pay(terms_of(purchase), tx_hash=purchase.pk)
    shop.turn()
    booking.adjust(purchase.pk, "one", 3, may_take=False)
    assert found(shop) == []
    LimiterLedger.objects.filter(grant=purchase.pk).update(limit=9)
    assert found(shop) == [(Finding.LEDGER_DIFFERS, purchase.pk)]


def test_discrepancies_among_each_other_are_each_found_once(shop: Shop) -> None:
    for _ in range(3):
        granted(shop)
    seeded = [(finding, seed(shop)) for seed, (finding, *_) in ONE_EACH.items()]
    assert len(seeded) >= 10
    assert sorted(found(shop)) == sorted(seeded)


ONE_EACH = {seed: tuple(finding) for seed, finding in SEEDED.items() if len(finding) == 1}
del ONE_EACH[not_on_chain]  # It takes away what the chain told last.


def test_looks_do_the_same_on_every_database(database: str) -> None:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        granted(shop)
        smaller, widened = smaller_amount(shop), ledger_widened(shop)
        noting.look_at_rows(now_s=shop.now_s + LATER_S)
        noting.look_at_chain(now_s=shop.now_s + LATER_S)
    rows = Discrepancy.objects.values_list("finding", "subject")
    assert dict(rows) == {Finding.DIFFERS: smaller, Finding.LEDGER_DIFFERS: widened}


def test_what_is_under_way_is_no_discrepancy_yet(shop: Shop) -> None:
    stuck(shop)
    token_lost(shop)
    transaction_stuck(shop)
    assert found(shop, later_s=0) == []


def test_discrepancy_is_noted_once_and_resolved_when_it_is_gone(shop: Shop) -> None:
    subject = ledger_widened(shop)
    for later_s in (0, 1):
        noting.look_at_rows(now_s=shop.now_s + later_s)
    row = Discrepancy.objects.get()
    assert (row.finding, row.subject, row.state) == ("ledger_differs", subject, "open")
    assert row.detail == "expires_at"
    row_s = row.first_seen_at_s

    GrantLedger.objects.update(expires_at=GrantedToken.objects.get().expires_at_s)
    noting.look_at_rows(now_s=shop.now_s + 2)
    row.refresh_from_db()
    assert (row.state, row.ended_at_s) == ("resolved", int(shop.now_s) + 2)

    GrantLedger.objects.update(expires_at=1)
    noting.look_at_rows(now_s=shop.now_s + 3)
    row.refresh_from_db()
    assert (row.state, row.ended_at_s, row.first_seen_at_s) == ("open", None, row_s)
    assert isinstance(auditing.verify(), Intact)


def test_explained_discrepancy_stays_explained_until_it_is_gone(shop: Shop) -> None:
    smaller_amount(shop)
    noting.look_at_rows(now_s=shop.now_s)
    row = Discrepancy.objects.get()
    assert noting.explain(row.pk, "A test payment.", actor="staff", now_s=shop.now_s)
    noting.look_at_rows(now_s=shop.now_s + 1)
    row.refresh_from_db()
    assert (row.state, row.note) == ("explained", "A test payment.")
    Payment.objects.all().delete()
    noting.look_at_rows(now_s=shop.now_s + 2)
    assert not noting.explain(row.pk, "Again.", actor="staff", now_s=shop.now_s)
    row.refresh_from_db()
    assert (row.state, row.note) == ("resolved", "A test payment.")


def test_chain_that_does_not_answer_resolves_nothing(shop: Shop) -> None:
    not_recorded(shop)
    noting.look_at_chain(now_s=shop.now_s)
    shop.rail.away = True
    with pytest.raises(NetworkUnavailable):
        noting.look_at_chain(now_s=shop.now_s + 1)
    assert Discrepancy.objects.get().state == "open"
    with pytest.raises(CommandError, match="could not be read"):
        call_command("reconcile")


def test_payment_that_the_follower_has_not_reached_is_no_discrepancy(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.close_ledger()
    shop.rail.pay(terms_of(purchase))
    assert list(retrace()) == []


def test_command_names_what_is_open_and_fails(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("reconcile")
    assert capsys.readouterr().out == "Nothing is open.\n"
    subject = smaller_amount(shop)
    with pytest.raises(CommandError, match=r"Open discrepancies: 1\."):
        call_command("reconcile", "--rows-only")
    assert f"payment_differs {subject} {'02' * 32} amount; paid 1" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("reconcile", "--json")
    assert '"finding": "payment_differs"' in capsys.readouterr().out


def test_finding_may_have_no_detail() -> None:
    assert Found(Finding.STUCK, "x").detail == ""


def without_triggers(statement: str, *values: str) -> None:
    """What somebody who owns the database can do."""
    with connection.cursor() as cursor:
        for act in ("update", "delete"):
            cursor.execute(f"DROP TRIGGER IF EXISTS billing_grantedtoken_{act}")
        cursor.execute(statement, values)
