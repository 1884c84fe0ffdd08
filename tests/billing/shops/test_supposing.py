"""What a price would have meant, on the page where it is written."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from billing.shops import summing
from marketplace.models import RouteQuote
from tests.billing.shops import customs
from tests.marketplace import shop
from tests.marketplace.admin.people import price_fields

pytestmark = pytest.mark.django_db


@pytest.fixture
def price() -> RouteQuote:
    return shop.stall("Alba")


@pytest.fixture
def as_alba(price: RouteQuote) -> Client:
    client = Client()
    client.force_login(price.route.service.provider.owner)
    return client


def test_preview_says_what_buyers_read_and_last_weeks_use(
    price: RouteQuote, as_alba: Client
) -> None:
    now = datetime.now(UTC)
    bought = customs.purchase(price, "ann", now)
    customs.minute(price, now - timedelta(days=1), bought.pk, calls=2_500)
    form = price_fields(route=price.route_id, name="New", calls_amount="1000", price="2")
    preview = "/admin/marketplace/routequote/preview/"
    assert "nothing to compare" in as_alba.post(preview, form).content.decode()
    summing.sum_up(now)
    shown = as_alba.post(preview, form).content.decode()
    assert "1,000 calls" in shown
    assert "2,500 calls on this route" in shown
    assert "needed 3 of these: 6.00 USDC" in shown
    assert "used up before its time" in shown
    assert "faster" not in shown
    assert RouteQuote.objects.count() == 1
    wrong = as_alba.post(preview, form | {"price": "much"}).content.decode()
    assert "in digits" in wrong


def test_preview_of_a_published_price_and_of_a_foreign_one(
    price: RouteQuote, as_alba: Client, client: Client
) -> None:
    of = "/admin/marketplace/routequote/{}/preview/"
    shown = as_alba.post(of.format(price.pk), price_fields(price="7")).content.decode()
    assert "<b>7.00</b> USDC" in shown
    foreign = shop.stall("Bruno", "files")
    assert as_alba.post(of.format(foreign.pk), price_fields(price="7")).status_code == 403
    taken = price_fields(route=foreign.route_id, name="New")
    page = as_alba.post("/admin/marketplace/routequote/preview/", taken).content.decode()
    assert "files" not in page
    assert client.post(of.format(price.pk), price_fields()).status_code == 302
    assert as_alba.get(of.format(price.pk)).status_code == 405
