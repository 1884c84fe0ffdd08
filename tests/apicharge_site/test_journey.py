"""From a provider who signs up to staff who trace the payment, on the started product."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from stellar_sdk import Keypair

from tests import browsers
from tests.servers import RunningServer, running_files, start_server
from tests.waiting import until

PATIENCE_MS = 90_000
PASSWORD = "quite-a-long-word-4711"
SCREENS = ({"width": 1280, "height": 900}, {"width": 390, "height": 844})
OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Files", "version": "1"},
    "paths": {
        "/files/{name}": {
            "get": {
                "summary": "A file",
                "parameters": [
                    {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "It"}},
            }
        }
    },
}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
]


class Stage:
    def __init__(self, server: RunningServer, files: str, browser: Browser) -> None:
        self.server = server
        self.files = files
        self.browser = browser

    def context(self, screen: int = 0, **options: object) -> BrowserContext:
        context = self.browser.new_context(viewport=SCREENS[screen], **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        return context

    def go(self, page: Page, path: str) -> None:
        page.goto(f"{self.server.origin}{path}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("journey")
    home.chmod(0o700)
    with (
        browsers.launched() as browser,
        running_files(home) as files,
        start_server(home) as server,
    ):
        yield Stage(server, files, browser)


def sign_up(stage: Stage, page: Page, email: str, then: str) -> None:
    stage.go(page, f"/accounts/signup/?next={then}")
    page.fill("[name=email]", email)
    page.fill("[name=password1]", PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url(re.compile(re.escape(then)))


def open_shop(stage: Stage, page: Page, payee: str, document: Path) -> None:
    sign_up(stage, page, "seller@example.org", "/sell/")
    page.fill("[name=name]", "Juniper Files")
    page.fill("[name=slug]", "juniper-co")
    page.fill("[name=payout_address]", payee)
    page.get_by_role("button", name="Start selling").click()
    stage.go(page, "/admin/start/")
    page.get_by_role("button", name="Check the trustlines now").click()
    page.get_by_role("link", name="Add a service").click()
    page.locator("[name=name]").press_sequentially("Juniper files")
    expect(page.locator("[name=slug]")).to_have_value("juniper-files")
    page.fill("[name=tagline]", "Files of any size.")
    page.fill("[name=upstreams-0-url]", stage.files)
    page.get_by_role("button", name="Save", exact=True).click()
    stage.go(page, "/admin/start/")
    page.get_by_role("button", name="Test it").click()
    stage.go(page, "/admin/start/")
    page.get_by_role("link", name="Import it").click()
    page.set_input_files("input[type=file]", document)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("button", name="Make these routes").click()
    stage.go(page, "/admin/start/")
    for name in ("Trial", "Starter"):
        page.locator("label.choice", has_text=name).locator("input").check()
    page.check("[name=publish]")
    page.get_by_role("button", name="Make drafts").click()
    page.locator("#published").get_by_role("button", name="Publish").click()
    page.get_by_role("link", name="See its page").click()
    page.wait_for_url(re.compile("/services/juniper-files/"))


def buy(stage: Stage, page: Page) -> str:
    """What the page of the grant shows as its token."""
    found = page.get_by_role("link", name="Juniper files", exact=True)
    until(lambda: stage.go(page, "/?q=juniper") or found.count() > 0, seconds=60)  # It is indexed.
    found.first.click()
    page.get_by_role("link", name="Buy access").first.click()
    page.locator("li.offer", has_text="Starter").get_by_role("link", name="Buy").click()
    page.wait_for_url(re.compile("/checkout/"))
    page.locator("[data-way=page]").click()
    shown = page.locator("#access-token")
    expect(shown).to_contain_text("~", timeout=PATIENCE_MS)
    return shown.inner_text()


def test_provider_opens_a_shop_a_consumer_buys_and_staff_traces_the_payment(
    stage: Stage, tmp_path: Path
) -> None:
    payee = Keypair.random().public_key
    stage.server.sandbox.fund(payee, "USDC")
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(OPENAPI))
    seller = stage.context().new_page()
    open_shop(stage, seller, payee, document)

    buyer = stage.context(screen=1).new_page()
    sign_up(stage, buyer, "buyer@example.org", "/account/")
    token = buy(stage, buyer)
    stage.go(buyer, "/account/")
    buyer.get_by_role("link", name=re.compile("Starter|juniper-files")).first.click()
    bar = buyer.locator("progress").first
    before = bar.get_attribute("aria-label")
    address = f"{stage.server.origin}/gate/juniper-files/files/10.bin"
    for _ in range(5):
        answer = httpx.get(address, headers={"apicharge": token})
        assert answer.status_code == 200
        time.sleep(0.25)  # No faster than the plan's rate.
    expect(bar).not_to_have_attribute("aria-label", before or "", timeout=PATIENCE_MS)
    expect(bar).to_have_attribute("aria-label", re.compile("5 of 1,000"), timeout=PATIENCE_MS)
    buyer.get_by_role("link", name="Buy it again").click()
    buyer.wait_for_url(re.compile("/checkout/"))
    trace(stage, payee)


def staff(stage: Stage) -> Page:
    made = "from django.contrib.auth.models import User; "
    made += "User.objects.filter(username='staff').exists() or "
    made += f"User.objects.create_superuser('staff', password={PASSWORD!r})"
    stage.server.python(made)
    page = stage.context().new_page()
    stage.go(page, "/admin/")
    page.fill("[name=login]", "staff")
    page.fill("[name=password]", PASSWORD)
    page.locator("form.form").get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile("/admin/"))
    return page


def trace(stage: Stage, payee: str) -> None:
    """From the purchase to the chain, and that the log holds."""
    page = staff(stage)
    stage.go(page, "/admin/billing/purchase/")
    page.locator("#result_list tbody tr a").first.click()
    expect(page.locator("body")).to_contain_text("juniper-files/files")
    stage.go(page, "/admin/billing/payment/")
    page.locator("#result_list tbody tr a").first.click()
    expect(page.locator("body")).to_contain_text(payee)
    stage.go(page, "/admin/billing/auditentry/")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.locator("body")).to_contain_text("The chain is intact")
