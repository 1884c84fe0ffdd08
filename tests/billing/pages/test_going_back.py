"""From the purchase to the page that was asked for."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from billing.models import HandOver, Purchase
from billing.pages import addresses
from marketplace import pages
from tests.billing.api.speaking import access_token
from tests.billing.pages.conftest import CHECKOUT, Till
from tests.billing.working import BUYER

BACK = "/gate/weather/forecast/today?day=1"


def hand_over(purchase: Purchase, token: str, back: str = BACK) -> Any:
    form = {"token": token, "return": back}
    return Client().post(addresses.path(purchase.pk, "hand-over"), form)


def test_402_in_a_browser_leads_to_the_checkout_and_knows_the_way_back(till: Till) -> None:
    page = pages.purchase_page("weather/forecast", "https://gw.example", BACK)
    address = re.search(r'href="https://gw.example(/checkout/[^"]+)"', (page or b"").decode())
    assert address is not None
    shown = till.browser.get(address[1].replace("&amp;", "&"))
    assert shown.context["back"] == BACK
    assert "Afterwards you return" in shown.content.decode()


def test_way_back_is_kept_through_the_purchase(till: Till) -> None:
    form = {"buyer": BUYER.address, "digest": till.digest(), "return": BACK}
    answer = till.browser.post(CHECKOUT, form, follow=True)
    assert answer.context["back"] == BACK


def test_granted_page_hands_the_token_to_the_host_of_the_route(
    till: Till, settings: Settings
) -> None:
    purchase = till.paid()
    page = Client().get(addresses.path(purchase.pk, back=BACK)).content.decode()
    assert "Open the page you asked for" in page
    answer = hand_over(purchase, access_token(purchase.granted.token, BUYER))
    onward = answer.context["onward"]
    assert onward.startswith(f"{settings.ORIGIN}/gate/weather/.apicharge/exchange?code=")
    assert f'content="0;url={onward}"' in answer.content.decode()
    row = HandOver.objects.get()
    assert (row.base, row.cookie_path) == ("/gate/weather", "/gate/weather/forecast")
    assert row.back == BACK


def test_service_with_a_host_of_its_own_gets_it_there(till: Till) -> None:
    service = till.price.route.service
    service.host = "weather.example"
    service.save()
    purchase = till.paid()
    token = access_token(purchase.granted.token, BUYER)
    answer = hand_over(purchase, token, "/forecast/today")
    assert answer.context["onward"].startswith("http://weather.example/.apicharge/exchange?code=")
    row = HandOver.objects.get()
    assert (row.base, row.cookie_path) == ("", "/forecast")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c~d.e.f"])
def test_what_is_no_token_of_the_grant_is_refused(till: Till, token: str) -> None:
    answer = hand_over(till.paid(), token)
    assert answer.status_code == 401
    assert not HandOver.objects.exists()


def test_token_that_no_cookie_can_hold_says_so(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.handing_over.TOKEN_LENGTH_MAX", 100)
    purchase = till.paid()
    answer = hand_over(purchase, access_token(purchase.granted.token, BUYER))
    assert answer.status_code == 422
    assert "too long for a cookie" in answer.content.decode()


@pytest.mark.parametrize("back", ["", "https://evil.example/", "//evil.example/gate/weather/"])
def test_nobody_is_led_elsewhere(till: Till, back: str) -> None:
    purchase = till.paid()
    answer = hand_over(purchase, access_token(purchase.granted.token, BUYER), back)
    assert answer.status_code == 302
    assert answer.headers["Location"] == addresses.path(purchase.pk)
    assert not HandOver.objects.exists()
