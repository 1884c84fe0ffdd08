"""A refund is the provider's own transfer: prepared by us, signed by nobody but the provider."""

import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from stellar_sdk import Keypair, TransactionEnvelope

from billing import auditing, channels, conf, keys, refunding
from billing.api.statuses import status
from billing.domain.audit import Intact
from billing.domain.errors import AuthorizationInvalid, NotFound, RefundRefused
from billing.models import AuditEntry, Purchase, Refund
from billing.orders import terms_of
from billing.rails.port import TransferFailed, Transferred
from gateway.models import Revocation
from marketplace.models import Provider
from tests.billing.api.speaking import Api
from tests.billing.buying import PRICE, Person, person, quote_for
from tests.billing.test_purchase_on_sandbox import balance, work
from tests.billing.working import BUYER, PAYEE, Shop
from tests.fakes.rail import FakeRail
from tests.marketplace import shop as catalogue
from tests.sandboxes import RunningSandbox


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def sold(shop: Shop, **terms: object) -> Purchase:
    purchase = shop.instruct(**terms)
    shop.rail.pay(terms_of(purchase), tx_hash=purchase.pk)
    shop.turn()
    purchase.refresh_from_db()
    return purchase


def prepared(shop: Shop, purchase: Purchase, amount: int = PRICE, **changes: object) -> Refund:
    wish: dict[str, object] = {"reason": "", "ends_grant": False, "actor": "x", "seller": None}
    return refunding.prepare(
        purchase.pk,
        amount=amount,
        now_s=shop.now_s,
        **{**wish, **changes},  # type: ignore[arg-type] # its own arguments
    )


def signed(refund: Refund) -> str:
    return f"{refund.envelope} signed by {refund.payer}"


def after(refund: Refund) -> Refund:
    refund.refresh_from_db()
    return refund


def test_signed_refund_is_sent_seen_and_linked(shop: Shop) -> None:
    purchase = sold(shop)
    refund = prepared(shop, purchase, ends_grant=True)
    assert (refund.payer, refund.receiver) == (PAYEE.address, BUYER.address)
    refunding.sign(refund.pk, signed(refund), now_s=shop.now_s)
    refunding.look_after(now_s=shop.now_s)
    assert shop.rail.sent == [signed(refund)]
    assert not Revocation.objects.exists()
    shop.rail.transfers[refund.tx_hash] = Transferred(shop.rail.ledger)
    with CaptureQueriesContext(connection) as asked:
        refunding.look_after(now_s=shop.now_s + refunding.LOOK_SECONDS)
    said = [each["sql"] for each in asked.captured_queries]
    # The log is one for all: it is locked last.
    ended = next(at for at, sql in enumerate(said) if "INSERT" in sql and "revocation" in sql)
    assert ended < next(at for at, sql in enumerate(said) if "billing_audithead" in sql)
    assert after(refund).state == "refunded"
    assert Revocation.objects.get().grant == purchase.pk
    assert status(purchase)["refunds"] == [
        {
            "amount": str(PRICE),
            "asset": "USDC",
            "transaction": refund.tx_hash,
            "ledger": shop.rail.ledger,
        }
    ]
    actions = AuditEntry.objects.filter(subject=purchase.pk, action__startswith="refund.")
    assert sorted(actions.values_list("action", flat=True)) == [
        "refund.pay",
        "refund.prepare",
        "refund.sign",
    ]
    assert isinstance(auditing.verify(), Intact)


def test_same_bytes_are_sent_again_until_they_are_seen(shop: Shop) -> None:
    refund = prepared(shop, sold(shop))
    refunding.sign(refund.pk, signed(refund), now_s=shop.now_s)
    for _ in range(3):
        shop.turn()
    assert len(shop.rail.sent) == 3
    assert set(shop.rail.sent) == {signed(refund)}


def test_refund_that_the_provider_sent_alone_is_seen(shop: Shop) -> None:
    refund = prepared(shop, sold(shop))
    shop.rail.transfers[refund.tx_hash] = Transferred(shop.rail.ledger)
    shop.turn()
    assert (after(refund).state, shop.rail.sent) == ("refunded", [])


def test_unsigned_refund_expires_and_another_can_be_made(shop: Shop) -> None:
    purchase = sold(shop)
    refund = prepared(shop, purchase)
    with pytest.raises(RefundRefused, match="At most 0 base units"):
        prepared(shop, purchase, 1)
    shop.rail.close_ledger(seconds=refunding.SIGN_WITHIN_SECONDS + 20)
    shop.turn()
    assert after(refund).state == "expired"
    with pytest.raises(RefundRefused, match="expired"):
        refunding.sign(refund.pk, signed(refund), now_s=shop.now_s)
    assert prepared(shop, purchase).state == "prepared"


def test_refund_that_the_chain_refused_failed(shop: Shop) -> None:
    refund = prepared(shop, sold(shop), ends_grant=True)
    shop.rail.transfers[refund.tx_hash] = TransferFailed(7, "The balance is too low.")
    shop.turn()
    assert (after(refund).state, refund.problem) == ("failed", "The balance is too low.")
    assert not Revocation.objects.exists()


def test_no_more_is_refunded_than_was_paid(shop: Shop) -> None:
    purchase = sold(shop)
    with pytest.raises(RefundRefused, match=f"At most {PRICE} base units"):
        prepared(shop, purchase, PRICE + 1)
    part = prepared(shop, purchase, PRICE - 1)
    shop.rail.transfers[part.tx_hash] = Transferred(shop.rail.ledger)
    shop.turn()
    with pytest.raises(RefundRefused, match="At most 1 base units"):
        prepared(shop, purchase, 2)
    assert prepared(shop, purchase, 1).amount == 1


def test_payer_signs_one_refund_at_a_time(shop: Shop) -> None:
    first, second = sold(shop), sold(shop)
    prepared(shop, first)
    with pytest.raises(RefundRefused, match="waits for its signature"):
        prepared(shop, second)
    assert Refund.objects.count() == 1


def test_what_was_not_paid_is_not_refunded(shop: Shop) -> None:
    with pytest.raises(RefundRefused, match="Nothing was paid"):
        prepared(shop, shop.instruct())
    shop.authorized(amount=0)
    shop.turn()
    with pytest.raises(RefundRefused, match="Nothing was paid"):
        prepared(shop, Purchase.objects.get(amount=0), 1)


def test_signature_of_anybody_else_is_refused(shop: Shop) -> None:
    refund = prepared(shop, sold(shop))
    with pytest.raises(AuthorizationInvalid):
        refunding.sign(refund.pk, f"{refund.envelope} signed by us", now_s=shop.now_s)
    with pytest.raises(NotFound):
        refunding.sign("0" * 64, signed(refund), now_s=shop.now_s)
    assert after(refund).signed == ""


def test_wallet_calls_back_once_or_twice(shop: Shop) -> None:
    refund = prepared(shop, sold(shop))
    assert refund.link == f"pay:{refunding.callback_url(refund.pk)}"
    form = "application/x-www-form-urlencoded"
    shop.rail.signed_transfer = lambda issued, offered, *, payer: offered  # type: ignore[assignment,method-assign]
    for _ in range(2):
        said = Api().post(f"refunds/{refund.pk}/sep7", "xdr=AAAA", content_type=form)
        assert (said.status, said.body["status"]) == (202, "signed")
    assert Api().post(f"refunds/{refund.pk}/sep7", "x=1", content_type=form).status == 400
    assert Api().post(f"refunds/{'0' * 64}/sep7", "xdr=AAAA", content_type=form).status == 404


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


NEW = "/admin/billing/refund/add/"


def wish(purchase: Purchase, **changes: str) -> dict[str, str]:
    return {"purchase": purchase.pk, "amount": "0.25", "reason": "late", **changes}


def test_provider_prepares_and_signs_a_refund_of_its_own_sale_only(shop: Shop) -> None:
    alba, bruno = catalogue.provider("Alba"), catalogue.provider("Bruno")
    catalogue.service(alba, "weather")
    purchase = sold(shop, route="weather/forecast")
    theirs, stranger = logged_in(bruno.owner), Client()
    assert "no such purchase" in theirs.post(NEW, wish(purchase)).content.decode()
    assert stranger.post(NEW, wish(purchase)).status_code == 302
    assert not Refund.objects.exists()

    client = logged_in(alba.owner)
    said = client.post(NEW, wish(purchase))
    refund = Refund.objects.get()
    assert (said.status_code, refund.amount, refund.provider) == (302, PRICE, alba)
    page = client.get(said["Location"]).content.decode()
    assert refund.tx_hash in page
    assert refund.payer in page
    where = reverse("admin:billing_refund_sign", args=[refund.pk])
    assert theirs.get(where).status_code == 404
    assert theirs.post(where, {"transaction": "AAAA"}).status_code == 404
    assert refund.pk not in theirs.get("/admin/billing/refund/").content.decode()
    assert refund.pk[:12] in client.get("/admin/billing/refund/").content.decode()
    assert "Not the payer" in client.post(where, {"transaction": "AAAA"}).content.decode()
    assert client.get(f"/admin/billing/refund/{refund.pk}/change/").status_code == 200
    assert client.get(reverse("admin:billing_purchase_changelist")).status_code == 403


@pytest.mark.parametrize("amount", ["", "x", "NaN", "Infinity", "0.00000001", "0", "-1", "9"])
def test_amount_that_cannot_be_refunded_is_explained(shop: Shop, amount: str) -> None:
    client = logged_in(User.objects.create_superuser("staff"))
    said = client.post(NEW, wish(sold(shop), amount=amount))
    assert said.status_code == 200
    assert "errorlist" in said.content.decode()
    assert not Refund.objects.exists()


def test_staff_without_permission_prepare_nothing(shop: Shop) -> None:
    purchase = sold(shop)
    nobody = User.objects.create(username="nobody", is_staff=True)
    assert logged_in(nobody).post(NEW, wish(purchase)).status_code == 403
    assert not Provider.objects.exists()
    assert not Refund.objects.exists()


def test_refund_on_the_network_moves_the_price_back(
    database: str, on_sandbox: RunningSandbox, request: pytest.FixtureRequest
) -> None:
    buyer, payee = (person(f"{request.node.name} {role}") for role in ("buyer", "payee"))
    for somebody in (buyer, payee):
        on_sandbox.fund(somebody.address, "USDC")
    purchase = bought(buyer, payee)
    before = [balance(on_sandbox, somebody) for somebody in (buyer, payee)]
    refund = refunding.prepare(
        purchase.pk,
        amount=PRICE - 1,
        reason="",
        ends_grant=True,
        actor="x",
        seller=None,
        now_s=time.time(),
    )
    with pytest.raises(AuthorizationInvalid):
        refunding.sign(refund.pk, with_key(refund, buyer), now_s=time.time())
    refunding.sign(refund.pk, with_key(refund, payee), now_s=time.time())
    deadline = time.monotonic() + 60
    while after(refund).state == "signed":
        assert time.monotonic() < deadline
        refunding.look_after(now_s=time.time())
    assert (refund.state, refund.problem) == ("refunded", "")
    moved = [
        balance(on_sandbox, each) - old for each, old in zip((buyer, payee), before, strict=True)
    ]
    assert moved == [PRICE - 1, 1 - PRICE]
    assert Revocation.objects.get().grant == purchase.pk


def bought(buyer: Person, payee: Person) -> Purchase:
    channels.ensure(1, now_s=time.time())
    keys.ensure_registered()
    api = Api()
    instruction = api.buy(quote_for(payee.address).to_json(), buyer).body
    api.authorize(instruction, buyer)
    purchase = work(instruction["id"])
    assert purchase.state == "granted"
    return purchase


def with_key(refund: Refund, somebody: Person) -> str:
    envelope = TransactionEnvelope.from_xdr(refund.envelope, conf.conf().chain.passphrase)
    envelope.sign(Keypair.from_raw_ed25519_seed(somebody.seed))
    return envelope.to_xdr()
