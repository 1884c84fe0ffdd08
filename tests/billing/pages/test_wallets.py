"""Logging in with a wallet: to its own account, to none but that, and in a browser."""

import base64
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer
from stellar_sdk import Keypair

from accounts.models import Wallet
from billing import conf
from tests import browsers
from tests.accounts.people import PASSWORD, somebody
from tests.billing.account.people import granted
from tests.billing.buying import Person, person
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail

PATIENCE_MS = 60_000
LOGIN = "/accounts/wallet/"
ADD = "/accounts/wallets/add/"
PAGE = "/accounts/wallets/"


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    cache.clear()


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail(closed_at_s=int(time.time())))
    with conf.paying_by(shop.rail):
        yield shop


def signed(client: Client, holder: Person, path: str, *, by: Person | None = None) -> str:
    """Where the two steps lead; empty when the page refused."""
    page = client.post(path, {"account": holder.address})
    assert page.status_code == 200
    text = page.context["text"]
    signature = Keypair.from_raw_ed25519_seed((by or holder).seed).sign_message(text)
    form = {"message": text, "signature": base64.b64encode(signature).decode()}
    said = client.post(path, form)
    return str(said.headers.get("Location", ""))


def user_of(client: Client) -> User | None:
    pk = client.session.get("_auth_user_id")
    return None if pk is None else User.objects.get(pk=pk)


def test_wallet_opens_an_account_and_finds_it_again(shop: Shop) -> None:
    holder = person("holder")
    first, second = Client(), Client()
    assert signed(first, holder, LOGIN) == "/account/"
    assert signed(second, holder, LOGIN) == "/account/"
    user = user_of(first)
    assert user is not None
    assert user == user_of(second)
    assert not user.is_staff
    assert not user.has_usable_password()
    assert Wallet.objects.get().address == holder.address
    assert signed(Client(), holder, f"{LOGIN}?next=/sell/") == "/sell/"
    assert signed(Client(), holder, f"{LOGIN}?next=//evil.example") == "/account/"


def test_signature_of_anybody_else_opens_nothing(shop: Shop, client: Client) -> None:
    assert signed(client, person("holder"), LOGIN, by=person("thief")) == ""
    assert user_of(client) is None
    assert not Wallet.objects.exists()


def test_second_factor_comes_on_top_of_the_wallet(shop: Shop) -> None:
    holder = person("holder")
    signed(Client(), holder, LOGIN)
    TOTP.activate(User.objects.get(), "JBSWY3DPEHPK3PXP")
    client = Client()
    assert signed(client, holder, LOGIN) == "/accounts/2fa/authenticate/"
    assert user_of(client) is None


def test_account_that_was_shut_stays_shut(shop: Shop) -> None:
    holder = person("holder")
    signed(Client(), holder, LOGIN)
    User.objects.update(is_active=False)
    client = Client()
    signed(client, holder, LOGIN)
    assert user_of(client) is None


def logged_in(user: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
    return client


def test_wallet_is_added_and_brings_what_it_bought(shop: Shop) -> None:
    ada, holder = somebody("ada"), person("holder")
    granted(holder, name="Bought before")
    client = logged_in(ada)
    assert b"Bought before" not in client.get("/account/").content
    assert signed(client, holder, ADD) == PAGE
    assert b"Bought before" in client.get("/account/").content
    other = Client()
    signed(other, holder, LOGIN)
    assert user_of(other) == ada


def test_wallet_of_another_is_not_taken_away(shop: Shop) -> None:
    holder = person("holder")
    signed(Client(), holder, LOGIN)
    client = logged_in(somebody("ada"))
    assert signed(client, holder, ADD) == PAGE
    assert b"belongs to another account" in client.get(PAGE).content
    assert Wallet.objects.get().user.username == holder.address


def test_session_alone_adds_and_removes_no_wallet(shop: Shop) -> None:
    ada = somebody("ada")
    wallet = Wallet.objects.create(user=ada, address=person("holder").address)
    client = Client()
    client.force_login(ada)
    for path in (ADD, f"{PAGE}{wallet.pk}/remove/"):
        assert client.post(path).headers["Location"].startswith("/accounts/reauthenticate/")
    assert Wallet.objects.exists()


def test_only_way_in_is_kept(shop: Shop) -> None:
    client, holder = Client(), person("holder")
    signed(client, holder, LOGIN)
    wallet = Wallet.objects.get()
    assert b"only way in" in client.post(f"{PAGE}{wallet.pk}/remove/", follow=True).content
    assert signed(client, person("second"), ADD) == PAGE
    client.post(f"{PAGE}{wallet.pk}/remove/")
    assert [each.address for each in Wallet.objects.all()] == [person("second").address]


def test_wallet_that_was_taken_away_opens_another_account_and_not_the_old_one(shop: Shop) -> None:
    holder = person("holder")
    signed(Client(), holder, LOGIN)
    first = User.objects.get()
    first.set_password(PASSWORD)
    first.save()
    Wallet.objects.all().delete()
    client = Client()
    signed(client, holder, LOGIN)
    assert user_of(client) not in {None, first}
    first.refresh_from_db()
    assert first.check_password(PASSWORD)


def test_wallets_of_others_are_not_there(shop: Shop) -> None:
    theirs = Wallet.objects.create(user=somebody("bob"), address=person("holder").address)
    client = logged_in(somebody("ada"))
    assert theirs.address.encode() not in client.get(PAGE).content
    assert client.post(f"{PAGE}{theirs.pk}/remove/").status_code == 404
    for path in (PAGE, ADD):
        assert Client().get(path).headers["Location"].startswith("/accounts/login/")
    assert Client().post(f"{PAGE}{theirs.pk}/remove/").headers["Location"].startswith("/accounts/")
    assert Wallet.objects.exists()


FREIGHTER = """
window.freighterApi = {
  isConnected: async () => ({ isConnected: true }),
  requestAccess: async () => ({ address: window.wallet.address }),
  getNetworkDetails: async () => ({ networkPassphrase: window.wallet.passphrase }),
  signMessage: async (text) => ({ signedMessage: await window.signAsked(text) }),
};
"""


@pytest.fixture
def page(live_server: LiveServer) -> Iterator[Page]:
    with (
        conf.paying_by(FakeRail(closed_at_s=int(time.time()))),
        browsers.launched() as browser,
    ):
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_wallets_of_the_browser_log_in(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    origin = str(live_server.url)
    page.goto(f"{origin}{LOGIN}?next=/accounts/")
    page.get_by_role("button", name="Test wallet").click()
    expect(page.get_by_role("heading", name="…")).to_be_visible(timeout=PATIENCE_MS)
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Sign up").first).to_be_visible(timeout=PATIENCE_MS)

    holder = Keypair.random()
    page.expose_function(
        "signAsked", lambda text: base64.b64encode(holder.sign_message(text)).decode()
    )
    wallet = {"address": holder.public_key, "passphrase": conf.conf().chain.passphrase}
    page.add_init_script(f"window.wallet = {wallet!r};{FREIGHTER}")
    page.goto(f"{origin}{LOGIN}?next=/accounts/wallets/")
    page.get_by_role("button", name="Freighter").click()
    expect(page.locator("code", has_text=holder.public_key)).to_be_visible(timeout=PATIENCE_MS)
    assert complaints == []
