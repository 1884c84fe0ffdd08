"""One token for one purchase, with its ledger rows, or nothing."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection

from billing import conf, following, granting, keys
from billing.models import AuditEntry, GrantedToken, Purchase
from billing.orders import terms_of
from gateway.domain import ed25519, tokens
from gateway.models import GrantLedger, LimiterLedger, Snapshot, VerifyingKey
from tests.billing.working import BUYER, Shop, state_of
from tests.fakes.rail import FakeRail
from tests.publications import published


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def confirmed(shop: Shop, **terms: object) -> Purchase:
    purchase = shop.instruct(**terms)
    shop.rail.pay(terms_of(purchase))
    following.follow(now_s=shop.now_s + 10)
    assert state_of(purchase) == "confirmed"
    return purchase


def test_granted_token_is_signed_and_says_what_was_paid(shop: Shop) -> None:
    purchase = confirmed(shop)
    assert granting.issue(purchase.pk, now_s=shop.now_s + 99)
    token = GrantedToken.objects.get().token
    frame = tokens.jws.parse(token)
    (key,) = keys.verifying().values()
    assert ed25519.verify(key, frame.signing_input, frame.signature)
    assert frame.payload["iat"] == shop.rail.closed_at_s
    assert frame.payload["sub"] == BUYER.address
    assert frame.payload["pay"] == {
        "network": "fake",
        "contract": "CFAKE",
        "tx": "ab" * 32,
        "amount": "2500000",
        "asset": "USDC",
    }


def test_grant_opens_its_ledger(shop: Shop) -> None:
    purchase = confirmed(shop)
    granting.issue(purchase.pk, now_s=shop.now_s)
    assert GrantLedger.objects.get().grant_id == purchase.pk
    assert (LimiterLedger.objects.get().limit, LimiterLedger.objects.get().used) == (10, 0)


def test_grant_is_issued_once(shop: Shop) -> None:
    purchase = confirmed(shop)
    assert granting.issue(purchase.pk, now_s=shop.now_s)
    token = GrantedToken.objects.get().token
    assert not granting.issue(purchase.pk, now_s=shop.now_s + 5)
    assert GrantedToken.objects.get().token == token


@pytest.mark.parametrize("state", ["instructed", "expired", "rejected", "failed"])
def test_unpaid_purchase_is_not_granted(shop: Shop, state: str) -> None:
    purchase = shop.instruct()
    Purchase.objects.update(state=state, open_slot=None)
    assert not granting.issue(purchase.pk, now_s=shop.now_s)
    assert not GrantedToken.objects.exists()
    assert not GrantLedger.objects.exists()


def test_grant_whose_ledger_cannot_be_opened_is_not_granted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_grant: object) -> None:
        raise DatabaseError("no ledger")

    purchase = confirmed(shop)
    monkeypatch.setattr(granting, "open_ledger", fail)
    with pytest.raises(DatabaseError):
        granting.issue(purchase.pk, now_s=shop.now_s)
    assert state_of(purchase) == "confirmed"
    assert not GrantedToken.objects.exists()
    monkeypatch.undo()
    assert granting.issue(purchase.pk, now_s=shop.now_s)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE billing_grantedtoken SET token = 'x'", "DELETE FROM billing_grantedtoken"],
)
def test_database_refuses_to_change_a_granted_token(shop: Shop, statement: str) -> None:
    granting.issue(confirmed(shop).pk, now_s=shop.now_s)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(statement)
    assert GrantedToken.objects.get().token != "x"


def test_signing_key_is_published_to_every_gate_once(shop: Shop) -> None:
    kid = keys.ensure_registered()
    snapshots = Snapshot.objects.count()
    assert keys.ensure_registered() == kid
    assert Snapshot.objects.count() == snapshots
    assert list(published()["keys"]) == [kid]
    assert AuditEntry.objects.filter(action="key.registered", subject=kid).count() == 1


def test_revoked_key_signs_nothing_any_more(shop: Shop) -> None:
    purchase = confirmed(shop)
    keys.ensure_registered()
    VerifyingKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    with pytest.raises(keys.KeyRevoked):
        granting.issue(purchase.pk, now_s=shop.now_s)
    assert state_of(purchase) == "confirmed"
