"""Buying in a browser, on the started product: each way to pay, and a page closed half way."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stellar_sdk import Keypair, Network

from tests.servers import ROOT, RunningServer, running_files, start_server
from tests.waiting import until

CHROMIUM = shutil.which("chromium")
NODE = shutil.which("node")
PATIENCE_MS = 60_000
CALLS = [{"kind": "calls", "count": 50}]
QUOTES = [
    {"name": "Hour pass", "amount": 2_500_000, "asset": "USDC", "access_seconds": 3600},
    {"name": "Trial", "amount": 0, "asset": "USDC", "access_seconds": 600},
]
# What the extension would do, with a key that Python holds.
FREIGHTER = """
window.freighterApi = {
  isConnected: async () => ({ isConnected: true }),
  requestAccess: async () => ({ address: window.wallet.address }),
  getNetworkDetails: async () => ({ networkPassphrase: window.wallet.passphrase }),
  signAuthEntry: async (preimage, options) => window.signAsked(preimage, options),
};
"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(300),
]


@dataclass
class Stage:
    server: RunningServer
    browser: Browser

    def page(self) -> Page:
        context = self.browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        return context.new_page()

    def checkout(self, page: Page, plan: str = "Hour pass") -> None:
        page.goto(f"{self.server.origin}/checkout/files/all/?plan={plan}")

    def state(self, page: Page) -> Any:
        purchase_id = page.url.split("/purchases/")[1].split("/")[0]
        return httpx.get(f"{self.server.origin}/apicharge/v1/purchases/{purchase_id}").json()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("checkout")
    home.chmod(0o700)
    with staged(home) as stage:
        yield stage


@contextmanager
def staged(home: Path, redis_url: str | None = None) -> Iterator[Stage]:
    payee = Keypair.random().public_key
    quotes = [{**quote, "limits": CALLS} for quote in QUOTES]
    route = {"slug": "all", "path": "/", "methods": [], "quotes": quotes}
    with (
        running_files(home) as files,
        start_server(home, redis_url=redis_url) as server,
        sync_playwright() as playwright,
    ):
        server.sandbox.fund(payee, "USDC")
        server.sell({"slug": "files", "upstream": files, "payee": payee, "routes": [route]})
        options = ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield Stage(server, browser)
        browser.close()


def token_shown(page: Page) -> str:
    shown = page.locator("#access-token")
    expect(shown).to_contain_text("~", timeout=PATIENCE_MS)
    return shown.inner_text()


def downloaded(page: Page, directory: Path) -> Path:
    with page.expect_download() as started:
        page.click("#env")
    path = directory / "apicharge.env"
    started.value.save_as(path)
    return path


def test_test_wallet_buys_and_the_page_s_snippet_calls(stage: Stage, tmp_path: Path) -> None:
    page = stage.page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    stage.checkout(page)
    page.click("[data-way=page]")
    token = token_shown(page)
    assert failures == []
    called = httpx.get(f"{stage.server.origin}/gate/files/a", headers={"apicharge": token})
    assert called.status_code != 402
    assert "Paid in ledger" in page.inner_text("#steps")
    console = page.context.new_page()
    console.goto(page.locator("#in-console").evaluate("link => link.href"))
    expect(console.locator("#token")).to_have_value(token)
    assert "token" not in console.url
    downloaded(page, tmp_path)
    snippet = page.inner_text("#snippet")
    script = page.get_attribute("a[download][href$='deriving.js']", "href")
    (tmp_path / "deriving.js").write_text(httpx.get(f"{stage.server.origin}{script}").text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "call.mjs").write_text(snippet)
    page.reload()
    page.click("#another")
    assert token_shown(page)
    page.context.close()
    if NODE is None:
        pytest.skip("node is not installed: the snippet was not run")
    ran = subprocess.run(
        [NODE, "--env-file=apicharge.env", "call.mjs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"(200|404) ", ran.stdout), ran.stdout


def test_402_leads_through_the_checkout_back_to_the_page_asked_for(stage: Stage) -> None:
    page = stage.page()
    wanted = f"{stage.server.origin}/gate/files/stream?events=1"
    page.goto(wanted)
    assert "402" in page.inner_text("main")
    page.locator("a.button", has_text="Buy").first.click()
    page.click("[data-way=page]")
    token_shown(page)
    with page.expect_response(lambda answer: answer.url == wanted) as answered:
        page.click("text=Open the page you asked for")
    assert answered.value.status == 200
    page.wait_for_url(wanted)
    cookie = next(each for each in page.context.cookies() if each["name"] == "apicharge")
    assert (cookie["path"], cookie["httpOnly"]) == ("/gate/files", True)
    page.context.close()


def test_free_plan_needs_no_wallet(stage: Stage) -> None:
    page = stage.page()
    stage.checkout(page, "Trial")
    page.click("[data-way=page]")
    assert token_shown(page)
    page.context.close()


def with_freighter(
    stage: Stage, answer: Callable[[Keypair, str], Any], **wallet: str
) -> tuple[Page, Keypair]:
    key = Keypair.random()
    stage.server.sandbox.fund(key.public_key, "USDC")
    page = stage.page()
    known = {"address": key.public_key, "passphrase": Network.TESTNET_NETWORK_PASSPHRASE, **wallet}
    page.add_init_script(f"window.wallet = {json.dumps(known)};{FREIGHTER}")
    page.expose_function("signAsked", lambda preimage, _options: answer(key, preimage))
    stage.checkout(page)
    page.click("[data-way=freighter]")
    return page, key


def signed(key: Keypair, preimage: str) -> Any:
    digest = hashlib.sha256(base64.b64decode(preimage)).digest()
    signature = base64.b64encode(key.sign(digest)).decode()
    return {"signedAuthEntry": signature, "signerAddress": key.public_key}


def test_freighter_signs_the_authorization(stage: Stage) -> None:
    page, _ = with_freighter(stage, signed)
    assert token_shown(page)
    assert stage.state(page)["status"] == "granted"
    page.context.close()


def test_freighter_that_says_no_or_is_elsewhere_is_understood(stage: Stage) -> None:
    rejecting = lambda _key, _preimage: {"error": {"code": -4, "message": "no"}}  # noqa: E731
    page, _ = with_freighter(stage, rejecting)
    expect(page.locator("#said")).to_contain_text("You declined in the wallet")
    assert stage.state(page)["status"] == "instructed"
    page.context.close()
    page, _ = with_freighter(stage, signed, passphrase=Network.PUBLIC_NETWORK_PASSPHRASE)
    expect(page.locator("#said")).to_contain_text("another network")
    assert "/checkout/" in page.url
    page.context.close()


def test_without_freighter_the_page_says_so(stage: Stage) -> None:
    page = stage.page()
    stage.checkout(page)
    page.click("[data-way=freighter]")
    expect(page.locator("#said")).to_contain_text("No Freighter in this browser")
    page.context.close()


def test_page_that_is_closed_half_way_goes_on_where_it_was(stage: Stage) -> None:
    page = stage.page()
    stage.checkout(page)
    page.route("**/authorization", lambda route: route.abort())
    page.click("[data-way=page]")
    expect(page.locator("#said")).to_contain_text("does not answer")
    address, context = page.url, page.context
    wallet = page.evaluate("sessionStorage.getItem('apicharge.test-wallet')")
    page.close()
    again = context.new_page()
    stage.checkout(again)
    again.click("text=Go on with it")
    assert again.url == address
    again.evaluate("wallet => sessionStorage.setItem('apicharge.test-wallet', wallet)", wallet)
    again.reload()
    again.click("[data-way=page]")
    again.close()
    until(lambda: httpx.get(address).text.count("Access granted"), seconds=60)
    last = context.new_page()
    last.goto(address)
    assert token_shown(last)
    context.close()


def test_without_scripts_a_pasted_signature_of_the_command_line_buys(
    stage: Stage, tmp_path: Path
) -> None:
    key = Keypair.random()
    stage.server.sandbox.fund(key.public_key, "USDC")
    context = stage.browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    stage.checkout(page)
    page.fill("input[name=buyer]", key.public_key)
    page.click("button:has-text('Continue')")
    command = page.inner_text("form.way pre").split()[1:]
    environment = {"APICHARGE_KEY": key.secret, "APICHARGE_CLIENT_HOME": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-m", "apicharge_client", *command, "--json"],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    page.fill("input[name=signature]", json.loads(said.stdout)["signature"])
    page.click("text=Send the signature")
    expect(page.locator("h1")).to_have_text("You have access", timeout=PATIENCE_MS)
    context.close()


def test_what_is_left_moves_while_a_script_calls(stage: Stage) -> None:
    page = stage.page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    stage.checkout(page)
    page.click("[data-way=page]")
    token_shown(page)
    page.click("text=See what is left of it")
    used = page.locator(".meter b").first
    expect(used).to_have_text("0")
    assert "/account/grants/" in page.url
    page.click("button:has-text('Make a token')")
    derived = page.locator("#derived code")
    expect(derived).to_contain_text("~")
    gated = f"{stage.server.origin}/gate/files/a"
    for _ in range(3):
        httpx.get(gated, headers={"apicharge": derived.inner_text()})
    expect(used).to_have_text("3", timeout=PATIENCE_MS)  # By itself.
    expect(page.locator(".calls tbody tr")).to_have_count(3, timeout=PATIENCE_MS)
    page.reload()
    expect(page.locator(".chart canvas").first).to_be_visible()
    page.click("text=Buy it again")
    assert page.url.endswith("/checkout/files/all/?plan=Hour+pass")
    assert failures == []
    page.context.close()


def test_a_visitor_tries_it_by_script_and_without(stage: Stage) -> None:
    plain = stage.browser.new_context(java_script_enabled=False)
    plain.set_default_timeout(PATIENCE_MS)
    for page in (stage.page(), plain.new_page()):
        failures: list[str] = []
        page.on("pageerror", lambda error, failures=failures: failures.append(str(error)))
        page.goto(f"{stage.server.origin}/services/files/try/")
        page.click("[data-trial]")
        expect(page.locator("[data-trial-words]")).to_contain_text("50 calls, for 10 minutes")
        page.fill("[name='path:path']", "files/64.bin")
        page.click(".try-form button:has-text('Send')")
        expect(page.locator("[data-figures]")).to_contain_text("200 OK", timeout=PATIENCE_MS)
        expect(page.locator("[data-figures]")).to_contain_text("64")
        expect(page.locator("[data-snippets] pre").first).to_contain_text("/gate/files/")
        assert failures == []
        page.context.close()


def test_the_reference_asks_nobody_else(stage: Stage) -> None:
    page = stage.page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    page.goto(f"{stage.server.origin}/services/files/reference/")
    expect(page.locator(".scalar-app h1").first).to_contain_text("files", timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    assert {each for each in asked if each.startswith("http")} == {stage.server.origin}
    page.context.close()
