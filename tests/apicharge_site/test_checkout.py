"""Buying in a browser, on the started product: each way to pay, and each way it can go wrong."""

import base64
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader
from stellar_sdk import Keypair, Network

from tests.apicharge_site.tills import (
    PATIENCE_MS,
    Stage,
    declined,
    signed,
    staged,
    token_shown,
)
from tests.billing.webhooks.listener import Told, listening
from tests.servers import ROOT
from tests.waiting import until

NODE = shutil.which("node")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("checkout")
    home.chmod(0o700)
    with staged(home) as stage:
        yield stage


def downloaded(page: Page, button: str, path: Path) -> Path:
    with page.expect_download() as started:
        page.click(button)
    started.value.save_as(path)
    return path


def test_test_wallet_buys_and_the_page_s_snippet_calls(stage: Stage, tmp_path: Path) -> None:
    page = stage.page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    token = stage.bought(page)
    assert failures == []
    called = httpx.get(f"{stage.server.origin}/gate/files/a", headers={"apicharge": token})
    assert called.status_code != 402
    assert "Paid in ledger" in page.inner_text("#steps")
    console = page.context.new_page()
    console.goto(page.locator("#in-console").evaluate("link => link.href"))
    expect(console.locator("#token")).to_have_value(token)
    assert "token" not in console.url
    downloaded(page, "#env", tmp_path / "apicharge.env")
    snippet = page.inner_text("#snippet")
    script = page.get_attribute("a[download][href$='deriving.js']", "href")
    (tmp_path / "deriving.js").write_text(httpx.get(f"{stage.server.origin}{script}").text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "call.mjs").write_text(snippet)
    page.reload()
    page.click("#another")
    assert token_shown(page)
    paid = stage.state(page)
    page.click("text=See the receipt")
    assert page.inner_text("dl.receipt").count("GMT+5:45") == 3
    page.hover("time")
    assert re.search("ago|now", page.get_attribute("time", "title") or "")
    receipt = PdfReader(downloaded(page, "a:text-is('PDF')", tmp_path / "receipt.pdf"))
    said = re.sub(r"\s", "", "".join(sheet.extract_text() for sheet in receipt.pages))
    for part in (paid["id"], paid["transaction"], "0.25USDC", "Hourpass,version1"):
        assert part in said
    page.context.close()
    if NODE is None:
        assert os.environ.get("CI") != "true", "node is not installed"
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
    expect(page.locator("#leaving")).to_be_visible()
    purchase = page.url
    page.wait_for_url(wanted)  # By itself.
    assert "data:" in page.inner_text("body")
    cookie = next(each for each in page.context.cookies() if each["name"] == "apicharge")
    assert (cookie["path"], cookie["httpOnly"]) == ("/gate/files", True)
    page.goto(purchase)  # Who returns stays, and sees the token.
    assert token_shown(page)
    waited = f"apicharge.waited.{stage.state(page)['id']}"
    page.evaluate("name => sessionStorage.setItem(name, '1')", waited)
    page.reload()
    page.click("#stay")
    assert token_shown(page)
    expect(page.locator("#leaving")).to_be_hidden()
    page.click("text=Open the page you asked for")
    page.wait_for_url(wanted)
    page.context.close()


def test_free_plan_needs_no_wallet_and_takes_one(stage: Stage) -> None:
    page = stage.page()
    assert stage.bought(page, "Trial")
    page.context.close()
    page, key = stage.with_freighter(signed, "Trial")
    assert token_shown(page)
    assert "Transaction" not in page.inner_text("main")
    assert key.public_key in page.inner_text("aside")
    page.context.close()


def test_wallet_that_says_no_or_is_elsewhere_or_missing_is_understood(stage: Stage) -> None:
    page, _ = stage.with_freighter(declined)
    expect(page.locator("#said")).to_contain_text("You declined in the wallet")
    assert stage.state(page)["status"] == "instructed"
    page.context.close()
    page, _ = stage.with_freighter(signed, passphrase=Network.PUBLIC_NETWORK_PASSPHRASE)
    expect(page.locator("#said")).to_contain_text("another network")
    assert "/checkout/" in page.url
    page.context.close()
    page = stage.page()
    stage.checkout(page)
    page.click("[data-way=freighter]")
    expect(page.locator("#said")).to_contain_text("No Freighter in this browser")
    page.click("#said >> text=No wallet, or nothing in it?")
    expect(page.locator("h1")).to_have_text("No wallet, or no USDC?")
    page.context.close()


@pytest.mark.parametrize(
    ("assets", "plan", "title"),
    [
        (None, "Hour pass", "This account does not exist on the network yet"),
        ([], "Hour pass", "This account cannot hold the asset yet"),
        (["USDC"], "Vault pass", "This account does not hold enough"),
    ],
)
def test_account_that_cannot_pay_is_told_what_it_needs(
    stage: Stage, assets: list[str] | None, plan: str, title: str
) -> None:
    account = Keypair.random().public_key
    if assets is not None:
        stage.server.sandbox.fund(account, *assets)
    page = stage.page()
    stage.checkout(page, plan)
    page.fill("input[name=buyer]", account)
    page.click("button:text-is('Continue')")
    trouble = page.locator(".trouble[role=alert]:visible")
    expect(trouble).to_contain_text(title)
    expect(trouble).to_contain_text("Nothing was taken")
    expect(page.locator("input[name=buyer]")).to_have_value(account)
    trouble.get_by_role("link").click()
    assert page.url.endswith("/funds/")
    page.context.close()


def test_quote_that_runs_out_is_replaced_before_and_after_it_was_taken(stage: Stage) -> None:
    page = stage.page()
    page.clock.install()
    stage.checkout(page)
    page.clock.fast_forward("30:00")
    expect(page.locator("main")).to_contain_text("The quote ran out, so this is a new one")
    assert "requoted=1" in page.url
    page.fill("input[name=buyer]", Keypair.random().public_key)
    page.context.close()
    page, _ = stage.with_freighter(declined)
    expect(page.locator("#said")).to_contain_text("You declined")
    late = "from billing.models import Purchase; "
    late += f"Purchase.objects.filter(pk={stage.state(page)['id']!r}).update(expires_at_s=1)"
    stage.server.python(late)
    page.reload()
    expect(page.locator(".trouble[role=alert]:visible")).to_contain_text("run out")
    expect(page.locator("[data-way]")).to_have_count(0)
    page.click("text=Start again with a new quote")
    assert "/checkout/files/all/?plan=Hour+pass" in page.url
    page.context.close()


def test_page_that_is_closed_while_nobody_knows_goes_on_and_nothing_is_paid_twice(
    stage: Stage,
) -> None:
    moods = [declined]

    def moody(key: Keypair, kind: str, content: str) -> Any:
        return moods[-1](key, kind, content)

    page, _ = stage.with_freighter(moody)
    expect(page.locator("#said")).to_contain_text("You declined")
    address = page.url
    page = reopened(stage, page)
    assert page.url == address
    moods.append(signed)
    page.route("**/authorization", lambda route: route.abort())
    page.click("[data-way=freighter]")
    expect(page.locator("#said")).to_contain_text("does not answer")
    page.unroute("**/authorization")
    with stage.nobody_knows():
        page.click("[data-way=freighter]")
        assert_nobody_is_asked_to_pay(page)
        page = reopened(stage, page)
        assert page.url == address
        assert_nobody_is_asked_to_pay(page)
    assert token_shown(page)  # By itself.
    digest = page.evaluate("JSON.parse(document.getElementById('purchase-page').text).quote.digest")
    stage.checkout(page)
    page.eval_on_selector("[name=digest]", "(field, digest) => { field.value = digest }", digest)
    page.click("[data-way=freighter]")
    expect(page.locator("main")).to_contain_text("so nothing was bought again")
    assert page.url.startswith(address)
    page.context.close()


def reopened(stage: Stage, page: Page) -> Page:
    """The tab is closed; another one finds the purchase again."""
    context = page.context
    page.close()
    page = context.new_page()
    stage.checkout(page)
    page.click("text=Go on with it")
    return page


def assert_nobody_is_asked_to_pay(page: Page) -> None:
    expect(page.locator("li[data-state=submitted]")).to_have_class("done", timeout=PATIENCE_MS)
    expect(page.locator("#unknown")).to_contain_text("do not pay again")
    expect(page.locator("#unknown")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Your payment is on its way")
    assert "Sign until" not in page.inner_text("aside")
    expect(page.locator("[data-way]")).to_have_count(0)


def test_voucher_becomes_a_token_that_works(stage: Stage) -> None:
    issued = "import time; from billing import vouchers; "
    issued += "from marketplace.models import RouteQuote; now_s = time.time(); "
    issued += "price = RouteQuote.objects.get(name='Hour pass'); "
    issued += "print(vouchers.issue(price, count=1, uses=1, until_s=int(now_s) + 600, "
    issued += "note='', actor='seller', now_s=now_s)[0][0])"
    code = stage.server.python(issued).split()[-1]
    page = stage.page()
    stage.go(page, "/vouchers/")
    for given, answer in (
        ("AAAA-BBBB-CCCC-DDDD", ".trouble[role=alert]:visible"),
        (code, "#token"),
    ):
        page.fill("[name=code]", given)
        page.click("[data-way=page]")
        expect(page.locator(answer)).to_be_visible(timeout=PATIENCE_MS)
    stage.call(token_shown(page))
    assert "Nothing" in page.inner_text("aside")
    page.context.close()


def is_signed(told: Told, secret: str) -> bool:
    """Standard Webhooks, as a receiver checks it."""
    said = f"{told.headers['webhook-id']}.{told.headers['webhook-timestamp']}.".encode() + told.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, said, "sha256")).decode()
    return f"v1,{expected}" in told.headers["webhook-signature"].split()


def test_notice_of_real_use_comes_by_mail_and_webhook_and_is_sent_again(stage: Stage) -> None:
    page = stage.page()
    stage.sign_up(page, "buyer@example.org")
    with listening() as listener:
        stage.go(page, "/account/notices/")
        page.fill("[name=url]", listener.url)
        page.click("text=Add the address")
        endpoint = page.url
        page.click("summary:text-is('Show it')")
        secret = page.locator("details:has-text('Show it') code").inner_text()
        stage.call(stage.bought(page), times=40)
        mailed = lambda: stage.mailbox.about("80 % of")  # noqa: E731
        until(lambda: listener.told and mailed(), seconds=60)
        assert "/account/grants/" in mailed()
        first = listener.told[0]
        assert json.loads(first.body)["data"]["limit"]["percent"] == 80
        page.goto(endpoint)
        page.click("text=Send again")
        until(lambda: len(listener.told) == 2, seconds=60)
        again = listener.told[1]
        assert (again.headers["webhook-id"], again.body) == (
            first.headers["webhook-id"],
            first.body,
        )
        assert is_signed(first, secret)
        assert is_signed(again, secret)
        assert not is_signed(again, "whsec_" + base64.b64encode(b"another").decode())
    page.context.close()


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
    expect(page.locator(".copy:visible")).to_have_count(0)  # Nothing to copy yet.
    page.click("button:has-text('Make a token')")
    expect(page.locator("#derived + .copy")).to_be_visible()
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
