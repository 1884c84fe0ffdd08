"""The started product with a browser before it, and people who buy there."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, expect
from stellar_sdk import Keypair, Network

from tests import browsers
from tests.fakes.mailbox import Mailbox, receiving
from tests.servers import RunningServer, running_files, start_server
from tests.waiting import until

PATIENCE_MS = 60_000
# An authorization is good for 200 ledgers: long enough for whoever signs on a busy machine.
CLOSE_MS = 400
PASSWORD = "quite-a-long-word-4711"
CALLS = [{"kind": "calls", "count": 50}]
QUOTES = [
    {"name": "Hour pass", "amount": 2_500_000, "asset": "USDC", "access_seconds": 3600},
    {"name": "Trial", "amount": 0, "asset": "USDC", "access_seconds": 600},
    # More than friendbot gives to anybody.
    {"name": "Vault pass", "amount": 50_000_000_000, "asset": "USDC", "access_seconds": 3600},
]
# What the extension would do, with a key that Python holds.
FREIGHTER = """
window.freighterApi = {
  isConnected: async () => ({ isConnected: true }),
  requestAccess: async () => ({ address: window.wallet.address }),
  getNetworkDetails: async () => ({ networkPassphrase: window.wallet.passphrase }),
  signAuthEntry: (preimage) => window.signAsked("entry", preimage),
  signMessage: (message) => window.signAsked("message", message),
};
"""
Answer = Callable[[Keypair, str, str], Any]


@dataclass
class Stage:
    server: RunningServer
    browser: Browser
    mailbox: Mailbox

    def page(self) -> Page:
        context = self.browser.new_context(
            viewport={"width": 1280, "height": 900}, timezone_id="Asia/Kathmandu"
        )
        context.set_default_timeout(PATIENCE_MS)
        return context.new_page()

    def go(self, page: Page, path: str) -> None:
        page.goto(f"{self.server.origin}{path}")

    def checkout(self, page: Page, plan: str = "Hour pass") -> None:
        self.go(page, f"/checkout/files/all/?plan={plan}")

    def bought(self, page: Page, plan: str = "Hour pass") -> str:
        """With the page's own wallet: the token that is shown in the end."""
        self.checkout(page, plan)
        page.click("[data-way=page]")
        return token_shown(page)

    def call(self, token: str, times: int = 1) -> None:
        with httpx.Client(headers={"apicharge": token}) as client:
            for _ in range(times):
                assert client.get(f"{self.server.origin}/gate/files/files/8.bin").status_code == 200

    def state(self, page: Page) -> Any:
        purchase_id = page.url.split("/purchases/")[1].split("/")[0]
        return httpx.get(f"{self.server.origin}/apicharge/v1/purchases/{purchase_id}").json()

    def with_freighter(
        self, answer: Answer, plan: str = "Hour pass", **wallet: str
    ) -> tuple[Page, Keypair]:
        """Every page of its context has the extension; the checkout is told to use it."""
        key = Keypair.random()
        self.server.sandbox.fund(key.public_key, "USDC")
        page = self.page()
        passphrase = Network.TESTNET_NETWORK_PASSPHRASE
        known = {"address": key.public_key, "passphrase": passphrase, **wallet}
        page.context.add_init_script(f"window.wallet = {json.dumps(known)};{FREIGHTER}")
        asked = lambda kind, content: answer(key, kind, content)  # noqa: E731
        page.context.expose_function("signAsked", asked)
        self.checkout(page, plan)
        page.click("[data-way=freighter]")
        return page, key

    def sign_up(self, page: Page, email: str) -> None:
        """With the link of the mail that is sent to whoever does."""
        self.go(page, "/accounts/signup/")
        page.fill("[name=email]", email)
        page.fill("[name=password1]", PASSWORD)
        page.get_by_role("button", name="Sign up").click()
        link = re.compile(rf"{self.server.origin}/accounts/confirm-email/\S+")
        letter: list[str] = []
        until(lambda: letter.extend(link.findall(self.mailbox.about("onfirm"))) or letter)
        page.goto(letter[0])
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url("**/account/")

    @contextmanager
    def nobody_knows(self) -> Iterator[None]:
        """Ledgers close, and the node tells nobody of them."""
        faults = f"{self.server.rpc_url}/faults"
        httpx.put(f"{faults}/stale").raise_for_status()
        try:
            yield
        finally:
            httpx.delete(faults).raise_for_status()


@contextmanager
def staged(home: Path, redis_url: str | None = None) -> Iterator[Stage]:
    payee = Keypair.random().public_key
    quotes = [{**quote, "limits": CALLS} for quote in QUOTES]
    route = {"slug": "all", "path": "/", "methods": [], "quotes": quotes}
    with (
        browsers.launched() as browser,
        receiving() as mailbox,
        running_files(home) as files,
        start_server(
            home,
            redis_url=redis_url,
            close_ms=CLOSE_MS,
            environment={"APICHARGE_MAIL": mailbox.url},
        ) as server,
    ):
        server.sandbox.fund(payee, "USDC")
        server.sell({"slug": "files", "upstream": files, "payee": payee, "routes": [route]})
        yield Stage(server, browser, mailbox)


def token_shown(page: Page) -> str:
    shown = page.locator("#access-token")
    expect(shown).to_contain_text("~", timeout=PATIENCE_MS)
    return shown.inner_text()


def signed(key: Keypair, kind: str, content: str) -> Any:
    """As a wallet that agrees: SEP-43 for an authorization, SEP-53 for a text."""
    said = f"Stellar Signed Message:\n{content}".encode()
    digest = hashlib.sha256(said if kind == "message" else base64.b64decode(content)).digest()
    name = "signedMessage" if kind == "message" else "signedAuthEntry"
    return {name: base64.b64encode(key.sign(digest)).decode(), "signerAddress": key.public_key}


def declined(_key: Keypair, _kind: str, _content: str) -> Any:
    return {"error": {"code": -4, "message": "no"}}
