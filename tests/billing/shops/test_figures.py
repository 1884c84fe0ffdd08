from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Purchase
from billing.shops import summing
from billing.shops.figures import Figures, figures, pseudonym
from gateway.models import Revocation
from marketplace.models import RouteQuote
from tests.billing.shops import customs
from tests.marketplace import shop

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def price() -> RouteQuote:
    return shop.stall("Alba")


def of(price: RouteQuote, days: int = 30) -> Figures:
    return figures(price.route.service.provider, days, NOW)


def test_assets_are_never_added_to_each_other(price: RouteQuote) -> None:
    euro = shop.price(price.route, "Euro pass", asset="EURC", amount=10_000_000)
    customs.purchase(price, "ann", NOW)
    customs.purchase(price, "bob", NOW - timedelta(days=1))
    customs.purchase(euro, "bob", NOW)
    customs.purchase(shop.stall("Bruno", "files"), "ann", NOW)
    sold = {each.asset: (each.total, each.purchases) for each in of(price).sold}
    assert sold == {"EURC": ("1.00", 1), "USDC": ("0.50", 2)}
    usdc = next(each for each in of(price).sold if each.asset == "USDC")
    assert [amount for _, amount in usdc.days[-3:]] == ["0.00", "0.25", "0.25"]


def test_buyers_grants_and_funnel(price: RouteQuote) -> None:
    customs.purchase(price, "ann", NOW - timedelta(days=60))
    again = customs.purchase(price, "ann", NOW)
    ended = customs.purchase(price, "bob", NOW)
    customs.purchase(price, "cid", NOW, state="instructed")
    Revocation.objects.create(grant=ended.pk)
    customs.minute(price, NOW - timedelta(minutes=9), again.pk)
    summing.sum_up(NOW)
    shown = of(price)
    buyers = shown.buyers
    assert (buyers.all, buyers.new, buyers.again, buyers.active_grants) == (2, 1, 1, 1)
    assert buyers.repeat_rate == "50 %"
    assert (buyers.ended, buyers.left, buyers.churn) == (0, 0, "-")
    funnel = shown.funnel
    assert (funnel.asked, funnel.signed, funnel.granted, funnel.called) == (3, 2, 2, 1)


def test_who_renews_and_who_does_not(price: RouteQuote) -> None:
    free = shop.price(price.route, "Taste", amount=0)
    for buyer, *ago in (("ann", 5, 2), ("bob", 4), ("cid", 3, 0), ("dan", 60)):
        for days in ago:
            customs.purchase(price, buyer, NOW - timedelta(days=days))
    customs.purchase(free, "bob", NOW)
    customs.purchase(free, "eve", NOW - timedelta(days=1))
    buyers = of(price).buyers
    assert (buyers.ended, buyers.left, buyers.churn) == (3, 2, "67 %")


def test_price_is_earned_over_the_time_that_it_was_paid_for(price: RouteQuote) -> None:
    year = shop.price(price.route, "Year", amount=365_000_000, access_seconds=365 * 86_400)
    month = shop.price(price.route, "Month", amount=30_000_000, access_seconds=30 * 86_400)
    euro = shop.price(price.route, "Euro", amount=10_000_000, asset="EURC")
    customs.purchase(year, "ann", NOW - timedelta(days=100))
    customs.purchase(month, "bob", NOW - timedelta(days=40))
    customs.purchase(month, "bob", NOW - timedelta(days=10))
    customs.purchase(euro, "cid", NOW - timedelta(minutes=15))
    customs.purchase(euro, "cid", NOW - timedelta(days=31))
    customs.purchase(euro, "dan", NOW - timedelta(days=1), state="expired")
    assert of(price).earned == (("EURC", "0.25"), ("USDC", "6.00"))


def test_revenue_is_told_by_plan(price: RouteQuote) -> None:
    for buyer, plan in (("ann", "Day"), ("bob", "Hour"), ("cid", "Day")):
        row = customs.purchase(price, buyer, NOW)
        Purchase.objects.filter(pk=row.pk).update(quote={"name": plan})
    [sold] = of(price).sold
    assert sold.plans == (
        ("Day", "weather/forecast", 2, "0.50"),
        ("Hour", "weather/forecast", 1, "0.25"),
    )


def test_use_is_of_the_days_and_of_the_minutes_since(price: RouteQuote) -> None:
    bought = customs.purchase(price, "ann", NOW)
    customs.minute(price, NOW - timedelta(days=2), bought.pk, refusals={"rate-exceeded": 4})
    summing.sum_up(NOW)
    customs.minute(price, NOW, bought.pk, upstream_failures=1)
    shown = of(price, 7)
    assert (shown.whole.calls, shown.whole.errors, shown.whole.refused) == (20, "5.0 %", 4)
    assert [day.calls for day in shown.by_day] == [0, 0, 0, 0, 10, 0, 10]
    assert shown.whole.p95 == "≤ 25 ms"
    [health] = shown.health
    assert (health.service, health.level, health.calls) == ("weather", "ill", 10)
    [consumer] = shown.consumers
    name = pseudonym(price.route.service.provider, bought.buyer)
    assert (consumer.name, consumer.calls, consumer.refused) == (name, 10, 4)


def test_dashboard_is_its_providers_alone_and_asks_little(price: RouteQuote) -> None:
    bruno = shop.stall("Bruno", "files").route.service.provider
    for number in range(12):
        bought = customs.purchase(price, f"buyer {number}", NOW, number=number)
        customs.minute(price, NOW - timedelta(minutes=number), bought.pk)
    summing.sum_up(datetime.now(UTC) + timedelta(days=1))
    alba = Client()
    alba.force_login(price.route.service.provider.owner)
    with CaptureQueriesContext(connection) as asked:
        page = alba.get("/admin/?days=90").content.decode()
    assert len(asked) <= 10
    for said in ("Revenue in USDC", "Earned in 30 days, USDC", "Not renewed", "Revenue by plan"):
        assert said in page
    assert shop.account("buyer 3") not in page
    other = Client()
    other.force_login(bruno.owner)
    assert "Revenue in USDC" not in other.get("/admin/?provider=alba").content.decode()
    staff = Client()
    staff.force_login(User.objects.create_superuser("staff"))
    assert "Revenue in USDC" in staff.get("/admin/?provider=alba").content.decode()
    assert "Revenue in USDC" not in staff.get("/admin/").content.decode()


def test_shop_in_which_nothing_happened_says_so(price: RouteQuote) -> None:
    client = Client()
    client.force_login(price.route.service.provider.owner)
    assert "Nothing was sold or called" in client.get("/admin/").content.decode()
