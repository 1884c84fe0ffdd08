"""Every page in a browser, as whoever finds it: nobody is shut out, nothing is asked elsewhere."""

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import expect
from stellar_sdk import Keypair

from tests.apicharge_site.walking import PHONE, Walk, walked

# What is asked of pages that have more than one face.
SEARCHES = ["/?q=forecast", "/?q=nothing-of-the-kind", "/?asset=EURC", "/account/?show=over"]
REACHED = ["/", "/services/forecast/", "/services/forecast/try/", "/checkout/forecast/point/"]
PAGE_BYTES_MAX = 150 * 1024
CHECKOUT = "/checkout/forecast/point/?plan=Day+pass"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    home = tmp_path_factory.mktemp("walk")
    home.chmod(0o700)
    with walked(home) as walk:
        yield walk


@pytest.fixture
def walk(opened: Walk) -> Walk:
    opened.faults.clear()
    return opened


@pytest.mark.parametrize("who", ["visitor", "buyer", "provider", "staff"])
def test_every_page_is_for_everybody(walk: Walk, who: str) -> None:
    page = walk.page(who)
    public = who in {"visitor", "buyer"}
    addresses = walk.market["ways"][who] + (SEARCHES if who == "visitor" else [])
    for address in addresses:
        walk.visit(page, address, dark=public, phone=public)
    page.context.close()
    walk.assert_clean()
    assert len(addresses) > {"visitor": 30, "buyer": 15, "provider": 55, "staff": 110}[who]


def test_checkout_is_for_everybody_in_each_of_its_states(walk: Walk) -> None:
    page = walk.page()
    for address in walk.market["states"]:
        walk.visit(page, address, dark=True, phone=True)
    account = Keypair.random().public_key
    walk.server.sandbox.fund(account, "USDC")
    walk.go(page, CHECKOUT)
    page.fill("input[name=buyer]", account)
    page.click("button:text-is('Continue')")
    page.wait_for_url("**/purchases/**")
    walk.visit(page, page.url.removeprefix(walk.server.origin), dark=True, phone=True)
    walk.go(page, CHECKOUT)
    page.fill("input[name=buyer]", Keypair.random().public_key)
    page.click("button:text-is('Continue')")
    expect(page.locator(".trouble[role=alert]:visible")).to_be_visible()
    page.context.close()
    walk.assert_clean(but="status of 4")


@pytest.mark.parametrize("address", REACHED)
def test_keyboard_comes_everywhere(walk: Walk, address: str) -> None:
    page = walk.page()
    walk.go(page, address)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    walk.tab_through(page)
    page.context.close()
    walk.assert_clean()


def test_keyboard_comes_everywhere_in_the_console(walk: Walk) -> None:
    page = walk.page("provider")
    walk.go(page, "/admin/")
    walk.tab_through(page)
    page.context.close()
    walk.assert_clean()


@pytest.mark.parametrize("address", ["/", "/services/forecast/"])
def test_page_is_light(walk: Walk, address: str) -> None:
    page = walk.page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(sum_of(request.sizes())))
    walk.go(page, address)
    page.wait_for_load_state("networkidle")
    assert sum(sizes) < PAGE_BYTES_MAX
    page.context.close()


def sum_of(sizes: Mapping[str, int]) -> int:
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]


@pytest.mark.parametrize("screen", [None, PHONE])
def test_nothing_moves_while_a_page_comes(walk: Walk, screen: dict[str, int] | None) -> None:
    page = walk.page("buyer", screen) if screen else walk.page("buyer")
    moved = {}
    for address in [*REACHED, "/account/", f"/account/grants/{walk.market['grant']}/"]:
        walk.go(page, address)
        page.wait_for_load_state("networkidle")
        moved[address] = page.evaluate("window.moved")
    walk.go(page, "/")
    page.fill("[name=q]", "forecast")
    with page.expect_response("**/*q=forecast*"):
        page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    moved["a search"] = page.evaluate("window.moved")
    page.context.close()
    assert {address: each for address, each in moved.items() if each} == {}
