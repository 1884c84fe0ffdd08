"""A passkey in a real browser, with an authenticator of Chromium's own."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import browsers
from tests.accounts.people import PASSWORD, somebody

PATIENCE_MS = 60_000
TELEPHONE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
]


@pytest.fixture
def ada(live_server: LiveServer) -> User:
    return somebody("ada")


@pytest.fixture
def page(ada: User) -> Iterator[Page]:
    with browsers.launched() as browser:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        yield context.new_page()


def test_passkey_is_added_and_logs_in_alone(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    keys = page.context.new_cdp_session(page)
    keys.send("WebAuthn.enable")
    origin = str(live_server.url)

    # A key that knows no passkey: the page says so.
    page.goto(f"{origin}/accounts/login/?next=/accounts/2fa/webauthn/add/")
    empty = {"protocol": "ctap2", "transport": "usb", "automaticPresenceSimulation": True}
    made = keys.send("WebAuthn.addVirtualAuthenticator", {"options": empty})
    page.get_by_role("button", name="With a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("no passkey", timeout=PATIENCE_MS)
    keys.send("WebAuthn.removeVirtualAuthenticator", made)

    page.get_by_label("Login").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Confirm").click()
    keys.send("WebAuthn.addVirtualAuthenticator", {"options": TELEPHONE})
    expect(page.get_by_label("Log in with this key alone")).to_be_checked(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Recovery Codes")).to_be_visible(timeout=PATIENCE_MS)

    page.locator(".menu summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Sign up").first).to_be_visible(timeout=PATIENCE_MS)
    page.goto(f"{origin}/accounts/login/?next=/accounts/2fa/")
    page.get_by_role("button", name="With a passkey").click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Manage").click()
    expect(page.get_by_role("main")).to_contain_text("Works alone", timeout=PATIENCE_MS)
    assert complaints == []
