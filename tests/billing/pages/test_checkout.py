"""The checkout: what is shown before anybody signs, and everything that can go wrong then."""

import re
import time

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from accounts.models import Wallet
from billing import authorizing, instructing
from billing.domain import errors
from billing.models import Purchase, SpendingCap
from billing.rails.port import Authorization, Offered
from gateway.domain import jws
from marketplace import pricing, quoting
from marketplace.domain import chains
from tests.billing.buying import person
from tests.billing.pages.conftest import CHECKOUT, Till
from tests.billing.working import BUYER
from tests.marketplace.shop import draft, price, route


def text(answer: object) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())  # type: ignore[attr-defined]


def test_checkout_shows_the_quote_whole(
    till: Till, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    till.browser.get(CHECKOUT)
    with django_assert_max_num_queries(10):
        shown = text(till.browser.get(CHECKOUT))
    quote = till.browser.get(CHECKOUT).context["offer"].quote
    for part in ("0.25 USDC", "2,500,000 base units", quote.payee, quote.digest, "Stellar sandbox"):
        assert part in shown
    assert "Paid by this marketplace; you need no XLM for it" in shown
    assert "<svg" in shown
    assert 'data-way="page"' in shown


def test_plan_is_chosen_by_name(till: Till) -> None:
    pricing.publish(draft(till.price.route, "Day pass", amount=20_000_000), timezone.now())
    shown = till.browser.get(CHECKOUT, {"plan": "Day pass"})
    assert shown.context["offer"].quote.amount == 20_000_000
    assert till.browser.get(CHECKOUT).context["offer"].quote.amount == 2_500_000


def test_unknown_route_is_not_found(till: Till) -> None:
    assert till.browser.get("/checkout/weather/nothing/").status_code == 404


def test_nothing_on_sale_says_so(till: Till) -> None:
    pricing.retire(till.price, timezone.now())
    assert "Not on sale now" in text(till.browser.get(CHECKOUT))


def test_checkout_leads_to_the_page_of_a_purchase(till: Till) -> None:
    key = b"\x07" * 32
    purchase = till.begin(access_key=jws.encode(key))
    assert (purchase.state, purchase.buyer) == ("instructed", BUYER.address)
    assert purchase.access_key == key.hex()


def test_form_that_is_sent_twice_makes_one_purchase(till: Till) -> None:
    assert till.begin().pk == till.begin().pk
    assert Purchase.objects.count() == 1


def test_form_of_another_site_is_refused(till: Till) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(CHECKOUT, {"buyer": BUYER.address}).status_code == 403


@pytest.mark.parametrize(
    ("refusal", "title", "onward"),
    [
        (errors.NoAccount("x"), "This account does not exist on the network yet", "funds"),
        (errors.NoTrustline("x"), "This account cannot hold the asset yet", "funds"),
        (errors.InsufficientBalance("x"), "This account does not hold enough", "funds"),
        (errors.PayeeCannotReceive("x"), "The provider cannot receive this asset", ""),
        (errors.CannotPay("It is frozen."), "The network would refuse this payment", ""),
        (errors.NetworkUnavailable("x"), "The payment network does not answer", ""),
    ],
)
def test_refusal_says_what_it_means_and_how_to_go_on(
    till: Till, refusal: errors.BillingError, title: str, onward: str
) -> None:
    till.rail.unwilling = [refusal]
    form = {"buyer": BUYER.address, "digest": till.digest()}
    answer = till.browser.post(CHECKOUT, form)
    assert answer.status_code == refusal.status
    shown = text(answer)
    assert title in shown
    assert refusal.detail in shown
    assert f'value="{BUYER.address}"' in shown
    assert ("How to get an account and the asset" in shown) == bool(onward)
    assert not Purchase.objects.exists()


@pytest.mark.parametrize("buyer", ["", "GABC", "<script>", "C" * 56])
def test_what_is_no_account_is_refused(till: Till, buyer: str) -> None:
    answer = till.browser.post(CHECKOUT, {"buyer": buyer, "digest": till.digest()})
    assert answer.status_code == 400
    assert "Something in the form is not right" in text(answer)
    assert "<script>" not in text(answer)


def test_quote_that_is_unknown_is_replaced_and_a_changed_price_is_said(till: Till) -> None:
    form = {"buyer": BUYER.address, "digest": "ab" * 32, "price": "2500000"}
    answer = till.browser.post(CHECKOUT, form)
    assert answer.status_code == 422
    assert "That quote is not on sale any more" in text(answer)
    assert "The price has changed" not in text(answer)
    answer = till.browser.post(CHECKOUT, {**form, "price": "1"})
    assert "The price has changed since: it is now 0.25 USDC" in text(answer)


def test_quote_with_too_little_time_left_is_replaced(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"buyer": BUYER.address, "digest": till.digest()}
    late_s = time.time() + 1_300
    monkeypatch.setattr(time, "time", lambda: late_s)
    answer = till.browser.post(CHECKOUT, form)
    assert answer.status_code == 422
    assert "That quote has run out" in text(answer)
    assert answer.context["offer"].quote.expires_at > late_s
    assert "a new one" in text(till.browser.get(CHECKOUT, {"requoted": "1"}))


def test_quote_of_another_route_is_refused(till: Till) -> None:
    other = price(route(till.price.route.service, "history"))
    digest = quoting.signed(other, time.time()).digest
    answer = till.browser.post(CHECKOUT, {"buyer": BUYER.address, "digest": digest})
    assert answer.status_code == 422
    assert "The quote is for another route." in text(answer)


def test_what_was_bought_is_not_bought_again_by_going_back(till: Till) -> None:
    purchase = till.paid()
    form = {"buyer": BUYER.address, "digest": purchase.digest}
    answer = till.browser.post(CHECKOUT, form, follow=True)
    assert "You have bought with this very quote already" in text(answer)
    assert Purchase.objects.count() == 1
    assert till.browser.post(CHECKOUT, {**form, "again": "1"}).status_code == 302
    assert Purchase.objects.count() == 2


def test_open_purchase_is_found_again_by_its_browser_alone(till: Till) -> None:
    till.begin()
    assert "Go on with it" in text(till.browser.get(CHECKOUT))
    assert "Go on with it" not in text(Client().get(CHECKOUT))


def test_too_many_open_purchases_say_so(till: Till) -> None:
    for number in range(10):
        till.begin(access_key=jws.encode(bytes([number]) * 32))
    form = {"buyer": BUYER.address, "digest": till.digest()}
    answer = till.browser.post(CHECKOUT, form)
    assert answer.status_code == 429
    assert "too many open purchases" in text(answer)


def test_no_more_is_bought_than_its_owner_allows(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User.objects.create_user("carla")
    till.browser.force_login(user)
    cap = {"asset": "USDC", "amount": "0.3"}
    assert "as much as I sign for" in text(till.browser.get("/account/spending/"))
    till.browser.post("/account/spending/cap/", cap)
    first = till.paid()
    page = text(till.browser.get("/account/spending/"))
    assert 'value="0.30"' in page
    assert "0.25 of 0.30 spent" in page
    again = {"buyer": BUYER.address, "digest": till.digest(), "again": "1"}
    refused = till.browser.post(CHECKOUT, again)
    assert refused.status_code == 422
    assert "This is more than you allow to be spent" in text(refused)
    # Begun by somebody else, with the same wallet: once it is known whose it is, it is held to.
    till.browser.logout()
    till.begin(again="1")
    second = Purchase.objects.exclude(pk=first.pk).get()
    Wallet.objects.create(user=user, address=BUYER.address)
    with pytest.raises(errors.OverCap):
        till.shop.authorize(second)
    second.refresh_from_db()
    assert (second.state, second.authorization) == ("instructed", "")
    till.browser.force_login(user)
    for wrong in ({"asset": "USDC", "amount": "x"}, {"asset": "GOLD", "amount": "1"}):
        till.browser.post("/account/spending/cap/", wrong)
        assert SpendingCap.objects.get().amount == 3_000_000
    # What was paid without us is spent, too.
    Purchase.objects.filter(pk=first.pk).update(authorized_at_s=None)
    with pytest.raises(errors.OverCap):
        till.shop.authorize(second)
    till.browser.post("/account/spending/cap/", cap | {"amount": "0.5"})
    # The same request at the same time: the second does not count what the first has stored.
    checked = authorizing._checked

    def meanwhile(purchase: Purchase, offered: Offered) -> Authorization:
        monkeypatch.undo()
        till.shop.authorize(second)
        return checked(purchase, offered)

    monkeypatch.setattr(authorizing, "_checked", meanwhile)
    assert till.shop.authorize(second).state == "authorized"
    till.browser.post("/account/spending/cap/", cap | {"amount": ""})
    assert not SpendingCap.objects.exists()


@pytest.mark.django_db
def test_spending_cap_is_set_by_who_is_logged_in(client: Client) -> None:
    assert client.post("/account/spending/cap/", {"asset": "USDC"}).status_code == 302
    assert client.get("/account/spending/cap/").status_code in {302, 405}
    assert not SpendingCap.objects.exists()


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("/gate/weather/forecast/today?day=1", True),
        ("//evil.example/gate/weather/", False),
        ("https://evil.example/gate/weather/", False),
        ("/gate/other/x", False),
        ("/gate/weather/../../admin/", False),
        ("/gate/weather/\\evil", False),
        ("/gate/weather/\r\nSet-Cookie: a=b", False),
        ("javascript:alert(1)", False),
    ],
)
def test_way_back_leads_to_the_service_alone(till: Till, asked: str, kept: bool) -> None:
    shown = till.browser.get(CHECKOUT, {"return": asked})
    assert shown.context["back"] == (asked if kept else "")


def test_without_a_wallet_there_is_a_page_with_anchors(till: Till, settings: Settings) -> None:
    settings.ANCHORS = chains.anchors(["USDC=https://anchor.example/buy"], settings.CHAIN)
    shown = text(till.browser.get("/checkout/funds/"))
    assert settings.CHAIN.assets["USDC"].issuer in shown
    assert 'href="https://anchor.example/buy"' in shown


def test_friendbot_is_the_sandbox_s_alone(till: Till, settings: Settings) -> None:
    asked = {"account": person("anybody").address, "asset": "USDC"}
    assert till.browser.post("/checkout/friendbot", {**asked, "asset": "DOGE"}).status_code == 400
    assert till.browser.post("/checkout/friendbot", {**asked, "account": "G"}).status_code == 400
    settings.CHAIN = chains.chain("testnet", contract=settings.CHAIN.contract)
    assert till.browser.post("/checkout/friendbot", asked).status_code == 404


@pytest.mark.parametrize("stranger_is_first", [True, False])
def test_stranger_comes_by_no_purchase_that_was_offered_to_a_buyer(
    till: Till, stranger_is_first: bool
) -> None:
    """Quote, account and access key are public: they show nobody to be its buyer."""
    mallory = Client()
    mallory.force_login(User.objects.create_user("mallory"))

    def offered() -> str:
        now_s = time.time()
        told = instructing.signable("weather/forecast", BUYER.address, "9.9.9.9/32", now_s=now_s)
        assert told is not None
        return str(told["id"])

    def begun() -> None:
        form = {"buyer": BUYER.address, "digest": till.digest()}
        assert mallory.post(CHECKOUT, form).status_code == 302

    if stranger_is_first:
        begun()
        purchase_id = offered()
    else:
        purchase_id = offered()
        begun()
    assert offered() == purchase_id
    assert Purchase.objects.get(pk=purchase_id).owner is None
    assert mallory.get(f"/account/grants/{purchase_id}/").status_code == 404
