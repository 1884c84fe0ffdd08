"""Staff read it all and change nothing; a provider and a stranger see nothing."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from billing import conf
from billing.models import AuditEntry, Purchase
from marketplace.models import Provider
from tests.billing.working import PAYEE, Shop
from tests.fakes.rail import FakeRail

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


def logged_in(**is_: bool) -> Client:
    user = User.objects.create(username="somebody", is_staff=True, **is_)
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
    assert b"billing" not in client.get(reverse("admin:index")).content.lower()


@pytest.mark.parametrize("name", MODELS)
def test_stranger_is_sent_to_log_in(sold: Purchase, name: str) -> None:
    assert [Client().get(address).status_code for address in addresses(name)] == [302, 302]


def test_purchase_leads_to_everything_about_it(sold: Purchase) -> None:
    client = logged_in(is_superuser=True)
    page = client.get(reverse("admin:billing_purchase_change", args=[sold.pk])).content.decode()
    assert sold.transactions.get().tx_hash in page
    for target in ("billing/payment/", "billing/grantedtoken/", "gateway/grantledger/"):
        assert f'href="/admin/{target}' in page
    assert f'href="/admin/billing/auditentry/?subject={sold.pk}"' in page
    trail = client.get(f"/admin/billing/auditentry/?subject={sold.pk}")
    assert trail.status_code == 200


def test_payment_leads_back_to_its_purchase(sold: Purchase) -> None:
    _, row = addresses("payment")
    page = logged_in(is_superuser=True).get(row).content.decode()
    assert reverse("admin:billing_purchase_change", args=[sold.pk]) in page


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
