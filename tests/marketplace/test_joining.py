"""From an account to a provider."""

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from marketplace import joining
from marketplace.models import Provider
from tests.accounts.people import somebody
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
PAYOUT = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
PROFILE = {"name": "Ada's", "slug": "adas", "payout_address": PAYOUT}


@pytest.fixture
def ada(client: Client) -> Client:
    cache.clear()
    client.force_login(somebody("ada"))
    return client


def test_account_becomes_a_provider_and_sees_its_own_rows(ada: Client) -> None:
    other = shop.provider("Bruno")
    assert ada.post("/sell/", PROFILE).headers["Location"] == "/admin/"
    provider = Provider.objects.get(slug="adas")
    assert provider.owner.is_staff
    assert not provider.owner.is_superuser
    listed = ada.get("/admin/marketplace/provider/").content.decode()
    assert "adas" in listed
    assert other.slug not in listed
    assert ada.get("/sell/").headers["Location"] == "/admin/"
    assert ada.post("/sell/", PROFILE | {"slug": "second"}).headers["Location"] == "/admin/"
    assert Provider.objects.count() == 2


@pytest.mark.parametrize(
    "wrong", [{"payout_address": "G123"}, {"payout_address": "S" + PAYOUT[1:]}, {"slug": "Ada's"}]
)
def test_profile_that_cannot_be_is_refused(ada: Client, wrong: dict[str, str]) -> None:
    said = ada.post("/sell/", PROFILE | wrong)
    assert said.status_code == 200
    assert b"errorlist" in said.content
    assert not Provider.objects.exists()


def test_name_of_another_is_refused(ada: Client) -> None:
    shop.provider("Adas")
    assert ada.post("/sell/", PROFILE).status_code == 200
    assert Provider.objects.count() == 1


def test_stranger_is_told_and_makes_nothing(client: Client) -> None:
    assert b"/accounts/signup/?next=/sell/" in client.get("/sell/").content
    assert client.post("/sell/", PROFILE).status_code == 200
    assert not Provider.objects.exists()


def test_who_cannot_be_written_to_confirms_an_address_first(
    client: Client, settings: Settings
) -> None:
    settings.MAILS_ARE_SENT = True
    client.force_login(somebody("ada", verified=False))
    assert client.post("/sell/", PROFILE).headers["Location"] == "/accounts/email/"
    assert not Provider.objects.exists()


def test_profiles_of_a_network_are_limited(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "JOINED_PER_NETWORK_HOUR", 1)
    said = [ada.post("/sell/", PROFILE | {"slug": "No"}).status_code for _ in range(2)]
    assert said == [200, 429]
