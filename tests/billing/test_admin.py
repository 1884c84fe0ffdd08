"""Staff read it all and change nothing; a provider and a stranger see nothing."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing import auditing, conf, instructing, noting
from billing.domain.discrepancies import ROW_FINDINGS, Finding
from billing.models import AuditEntry, Discrepancy, Payment, Purchase
from billing.reconciling import Found
from marketplace import quoting
from marketplace.models import Provider
from tests.billing.working import BUYER, PAYEE, Shop
from tests.fakes.rail import FakeRail
from tests.marketplace import shop as shop_of_quotes

MODELS = [
    "auditentry",
    "chaintransaction",
    "channelaccount",
    "eventcursor",
    "grantedtoken",
    "payment",
    "purchase",
]


@pytest.fixture
def sold(db: None) -> Iterator[Purchase]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        purchase = shop.authorized()
        shop.turn()
        shop.rail.close_ledger()
        shop.turn()
        purchase.refresh_from_db()
        assert purchase.state == "granted"
        yield purchase


TRAIL = ["billing/payment/", "billing/chaintransaction/", "billing/grantedtoken/"]
TRAIL += ["gateway/grantledger/", "billing/auditentry/"]


def logged_in(**is_: bool) -> Client:
    user, _ = User.objects.get_or_create(username="somebody", is_staff=True, **is_)
    client = Client()
    client.force_login(user)
    return client


def addresses(name: str) -> list[str]:
    row = apps.get_model("billing", name).objects.first()
    assert row is not None
    pages = [reverse(f"admin:billing_{name}_changelist")]
    return [*pages, reverse(f"admin:billing_{name}_change", args=[row.pk])]


@pytest.mark.parametrize("name", MODELS)
def test_staff_read_every_row(sold: Purchase, name: str) -> None:
    client = logged_in(is_superuser=True)
    assert [client.get(address).status_code for address in addresses(name)] == [200, 200]


@pytest.mark.parametrize("name", MODELS)
def test_nobody_adds_changes_or_deletes(sold: Purchase, name: str) -> None:
    client = logged_in(is_superuser=True)
    before = list(apps.get_model("billing", name).objects.values())
    listing, row = addresses(name)
    assert client.get(f"{listing}add/").status_code == 403
    assert client.post(row, {"state": "failed"}).status_code == 403
    assert client.post(row.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert list(apps.get_model("billing", name).objects.values()) == before


@pytest.mark.parametrize("name", MODELS)
def test_provider_sees_nothing(sold: Purchase, name: str) -> None:
    client = logged_in()
    Provider.objects.create(
        owner=User.objects.get(), name="P", slug="p", payout_address=PAYEE.address
    )
    assert [client.get(address).status_code for address in addresses(name)] == [403, 403]
    assert f"/admin/billing/{name}/" not in client.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize("name", MODELS)
def test_stranger_is_sent_to_log_in(sold: Purchase, name: str) -> None:
    assert [Client().get(address).status_code for address in addresses(name)] == [302, 302]


def test_purchase_leads_to_everything_about_it(sold: Purchase) -> None:
    client = logged_in(is_superuser=True)
    page = client.get(reverse("admin:billing_purchase_change", args=[sold.pk])).content.decode()
    assert sold.transactions.get().tx_hash in page
    for target in TRAIL:
        assert f'href="/admin/{target}' in page
    assert f'href="/admin/billing/auditentry/?subject={sold.pk}"' in page
    trail = client.get(f"/admin/billing/auditentry/?subject={sold.pk}")
    assert trail.status_code == 200


def test_lists_and_trails_are_looked_up_once(
    sold: Purchase, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = logged_in(is_superuser=True)
    for name in ("payment", "auditentry", "purchase"):
        with django_assert_max_num_queries(10):
            listed = client.get(reverse(f"admin:billing_{name}_changelist")).content.decode()
        assert reverse("admin:billing_purchase_change", args=[sold.pk]) in listed
    payment = reverse("admin:billing_payment_change", args=[Payment.objects.get().pk])
    with django_assert_max_num_queries(16):  # Each of ten books is asked, once.
        assert b"granted token" in client.get(payment).content


def test_what_names_no_purchase_leads_nowhere(db: None) -> None:
    with transaction.atomic():
        auditing.record(action="key.revoke", subject="not-a-purchase", now_s=1, detail={})
    listed = logged_in(is_superuser=True).get("/admin/billing/auditentry/").content.decode()
    assert "not-a-purchase…" in listed
    assert "/admin/billing/purchase/not-a-purchase" not in listed


@pytest.mark.parametrize(
    "where", ["billing.payment", "billing.chaintransaction", "billing.grantedtoken"]
)
def test_everything_about_a_purchase_leads_back_to_it_and_to_the_rest(
    sold: Purchase, where: str
) -> None:
    page = shown(where)
    assert reverse("admin:billing_purchase_change", args=[sold.pk]) in page
    assert all(f'href="/admin/{target}' in page for target in TRAIL)


def test_grant_leads_back_to_who_paid_for_it(sold: Purchase) -> None:
    page = shown("gateway.grantledger")
    assert reverse("admin:billing_purchase_change", args=[sold.pk]) in page
    assert "calls" in page  # How much of what is used.


def test_quote_leads_to_its_version_and_to_what_was_bought_by_it(db: None) -> None:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        listed = shop_of_quotes.price(
            shop_of_quotes.route(shop_of_quotes.service(shop_of_quotes.provider("P"), "s"), "r")
        )
        quote = quoting.signed(listed, shop.now_s)
        wish = instructing.Wish(quote, BUYER.address, BUYER.key, "192.0.2.0/24")
        bought = instructing.instruct(wish, now_s=shop.now_s)
    version = reverse("admin:marketplace_routequote_change", args=[listed.pk])
    assert version in shown("billing.purchase")
    page = shown("marketplace.quote")
    assert version in page
    assert reverse("admin:billing_purchase_change", args=[bought.pk]) in page


def shown(where: str) -> str:
    app, _, name = where.partition(".")
    row = apps.get_model(app, name).objects.first()
    assert row is not None
    address = reverse(f"admin:{app}_{name}_change", args=[row.pk])
    return logged_in(is_superuser=True).get(address).content.decode()


def test_token_is_on_no_page(sold: Purchase) -> None:
    client = logged_in(is_superuser=True)
    token = sold.granted.token
    for name in MODELS:
        for address in addresses(name):
            assert token not in client.get(address).content.decode()


def test_audit_log_says_whether_it_is_intact(sold: Purchase) -> None:
    client = logged_in(is_superuser=True)
    listing = reverse("admin:billing_auditentry_changelist")
    entries = AuditEntry.objects.count()
    assert f"intact: {entries} entries" in client.get(listing).content.decode()


def discrepancy() -> Discrepancy:
    found = Found(Finding.STUCK, "ab" * 32, "submitted since 1")
    noting.note([found], ROW_FINDINGS, now_s=1_800_000_000)
    return Discrepancy.objects.get()


def test_staff_explain_a_discrepancy_and_change_nothing_else(db: None) -> None:
    row, client = discrepancy(), logged_in(is_superuser=True)
    page = reverse("admin:billing_discrepancy_change", args=[row.pk])
    assert "submitted since 1" in client.get(page).content.decode()
    said = client.post(page, {"note": "The node was away.", "subject": "x", "state": "resolved"})
    assert said.status_code == 302
    row.refresh_from_db()
    assert (row.state, row.note, row.subject) == ("explained", "The node was away.", "ab" * 32)
    entry = AuditEntry.objects.get(action="discrepancy.explained")
    assert (entry.actor, entry.subject) == ("somebody", "ab" * 32)


def test_resolved_discrepancy_is_changed_by_nobody(db: None) -> None:
    row, client = discrepancy(), logged_in(is_superuser=True)
    noting.note([], ROW_FINDINGS, now_s=1_800_000_001)
    page = reverse("admin:billing_discrepancy_change", args=[row.pk])
    assert client.post(page, {"note": "Late."}).status_code == 403
    assert client.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:billing_discrepancy_add")).status_code == 403
    assert Discrepancy.objects.get().note == ""


def test_provider_sees_no_discrepancy(db: None) -> None:
    row = discrepancy()
    listing = reverse("admin:billing_discrepancy_changelist")
    page = reverse("admin:billing_discrepancy_change", args=[row.pk])
    client = logged_in()
    assert [client.get(address).status_code for address in (listing, page)] == [403, 403]
