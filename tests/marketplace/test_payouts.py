"""Another payout address: asked for with a second factor, told, a day later, unless cancelled."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core import mail, signing
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from stellar_sdk import Keypair

from apicharge_site.tasks import change_payouts
from marketplace import payouts, quoting
from marketplace.models import PayoutChange, Provider
from tests.accounts.people import PASSWORD, link_of_last_mail
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
PAGE = "/sell/payout/"
NEW = Keypair.from_raw_ed25519_seed(bytes(32)).public_key
LONG = payouts.WAIT + timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    cache.clear()


@pytest.fixture
def alba() -> Provider:
    provider = shop.provider("Alba")
    owner = provider.owner
    owner.email = "alba@example.org"
    owner.set_password(PASSWORD)
    owner.save()
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    return provider


@pytest.fixture
def as_alba(alba: Provider, client: Client) -> Client:
    client.post("/accounts/login/", {"login": "alba@example.org", "password": PASSWORD})
    return client


def ask(client: Client, address: str = NEW) -> Client:
    client.post(PAGE, {"address": address})
    return client


def paid_at(provider: Provider) -> str:
    provider.refresh_from_db()
    return provider.payout_address


def test_address_changes_a_day_after_it_was_asked_for(alba: Provider, as_alba: Client) -> None:
    old, now = alba.payout_address, timezone.now()
    ask(as_alba)
    assert mail.outbox[-1].to == ["alba@example.org"]
    assert NEW in str(mail.outbox[-1].body)
    assert payouts.apply_due(now=now + timedelta(hours=23)) == 0
    assert paid_at(alba) == old
    assert NEW.encode() in as_alba.get(PAGE).content
    assert payouts.apply_due(now=now + LONG) == 1
    assert paid_at(alba) == NEW
    assert payouts.apply_due(now=now + LONG) == 0


def test_quote_that_is_out_keeps_its_payee(alba: Provider) -> None:
    price = shop.price(shop.route(shop.service(alba, "weather"), "day"))
    now = timezone.now()
    issued = quoting.signed(price, now.timestamp())
    payouts.tell(payouts.ask(alba, NEW, alba.owner, now=now), now=now)
    payouts.apply_due(now=now + LONG)
    kept = quoting.find(issued.digest)
    assert kept is not None
    assert kept.payee == issued.payee != NEW
    price.refresh_from_db()
    later = quoting.signed(type(price).objects.get(pk=price.pk), (now + LONG).timestamp())
    assert later.payee == NEW


def test_link_of_the_mail_cancels_once_without_a_login(alba: Provider, as_alba: Client) -> None:
    old, now = alba.payout_address, timezone.now()
    ask(as_alba)
    link, stranger = urlsplit(link_of_last_mail()).path, Client()
    assert b"Keep the old" in stranger.get(link).content
    assert payouts.under_way().exists()
    assert b"stays as it is" in stranger.post(link).content
    assert stranger.get(link).status_code == 404
    assert payouts.apply_due(now=now + LONG) == 0
    assert paid_at(alba) == old


def test_link_that_we_did_not_write_cancels_nothing(as_alba: Client) -> None:
    ask(as_alba)
    pk = PayoutChange.objects.get().pk
    for token in (signing.dumps(pk), signing.dumps(pk, key="x", salt=payouts.SALT), "x"):
        assert Client().post(f"{PAGE}cancel/{token}/").status_code == 404
    assert payouts.under_way().exists()


def test_owner_cancels_and_asks_again(alba: Provider, as_alba: Client) -> None:
    ask(as_alba)
    said = as_alba.post(PAGE, {"address": Keypair.random().public_key}, follow=True)
    assert b"cancel it first" in said.content
    assert as_alba.post(f"{PAGE}stop/").status_code == 302
    assert not payouts.under_way().exists()
    ask(as_alba)
    assert PayoutChange.objects.count() == 2


@pytest.mark.parametrize("wrong", ["", "G123", "SAAAA", "the same"])
def test_address_that_cannot_be_paid_is_refused(
    alba: Provider, as_alba: Client, wrong: str
) -> None:
    ask(as_alba, alba.payout_address if wrong == "the same" else wrong)
    assert not PayoutChange.objects.exists()


def test_session_without_a_recent_password_is_asked_and_then_goes_on(
    alba: Provider, client: Client
) -> None:
    client.force_login(alba.owner)
    led = client.post(PAGE, {"address": NEW}).headers["Location"]
    assert led.startswith("/accounts/reauthenticate/")
    assert not PayoutChange.objects.exists()
    client.post(led, {"password": "guess"})
    assert not PayoutChange.objects.exists()
    client.post(led, {"password": PASSWORD, "next": PAGE})
    assert PayoutChange.objects.get().address == NEW


def test_who_has_a_second_factor_is_asked_for_it(alba: Provider, client: Client) -> None:
    TOTP.activate(alba.owner, "JBSWY3DPEHPK3PXP")
    client.force_login(alba.owner)
    led = client.post(PAGE, {"address": NEW}).headers["Location"]
    assert led.startswith("/accounts/2fa/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": PAGE})
    assert not PayoutChange.objects.exists()


def test_change_that_nobody_could_be_told_of_waits_and_is_told_again(
    alba: Provider, as_alba: Client, settings: Settings
) -> None:
    sent = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    ask(as_alba)
    assert b"could not be sent yet" in as_alba.get(PAGE).content
    now = timezone.now() + LONG
    assert payouts.apply_due(now=now) == 0
    settings.EMAIL_BACKEND = sent
    payouts.tell_due(now=now)
    assert len(mail.outbox) == 1
    PayoutChange.objects.update(applies_at=timezone.now())
    change_payouts()
    assert paid_at(alba) == NEW


def test_owner_who_cannot_be_written_to_confirms_an_address_first(
    as_alba: Client, settings: Settings
) -> None:
    settings.MAILS_ARE_SENT = True
    EmailAddress.objects.update(verified=False)
    assert as_alba.post(PAGE, {"address": NEW}).headers["Location"] == "/accounts/email/"
    assert not PayoutChange.objects.exists()


def test_page_is_the_owners_alone(as_alba: Client, alba: Provider) -> None:
    ask(as_alba)
    bruno, consumer = shop.provider("Bruno").owner, User.objects.create_user("consumer")
    staff = User.objects.create_superuser("staff")
    for user in (bruno, consumer, staff):
        other = Client()
        other.force_login(user)
        assert NEW.encode() not in other.get(PAGE).content
        other.post(f"{PAGE}stop/")
        assert other.get(PAGE).status_code == (200 if user == bruno else 404)
    stranger = Client()
    for path in ("", "stop/"):
        assert stranger.post(PAGE + path).headers["Location"].startswith("/accounts/login/")
    assert payouts.under_way().exists()


def test_console_changes_no_address(alba: Provider, as_alba: Client) -> None:
    staff = Client()
    staff.force_login(User.objects.create_superuser("staff"))
    old = alba.payout_address
    address = f"/admin/marketplace/provider/{alba.pk}/change/"
    form = {"name": "Alba", "slug": "alba", "owner": alba.owner_id, "about": "", "_save": "Save"}
    for client in (staff, as_alba):
        assert old.encode() in client.get(address).content
        assert client.post(address, {**form, "payout_address": NEW}).status_code == 302
        assert paid_at(alba) == old


def test_page_takes_few_queries(
    as_alba: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ask(as_alba)
    with django_assert_max_num_queries(10):
        assert as_alba.get(PAGE).status_code == 200
