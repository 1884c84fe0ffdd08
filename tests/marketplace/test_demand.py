import pytest
from django.test import Client

from marketplace import demand, pricing, quoting
from marketplace.models import PlanDemand, RouteQuote
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def digest(price: RouteQuote) -> str:
    return quoting.signed(price, shop.NOW_S).digest


def test_the_plan_that_most_buyers_take_is_marked(client: Client) -> None:
    route = shop.route(shop.service(shop.provider()))
    hour, day = shop.price(route, "Hour"), shop.price(route, "Day", access_seconds=86_400)
    demand.note({digest(hour): 9, digest(day): 2})
    assert "plan-popular" not in client.get("/services/weather/").content.decode()
    demand.note({digest(hour): 11, digest(day): 2, "f" * 64: 50})
    page = client.get("/services/weather/").content.decode()
    assert page.count("plan-popular") == 1
    assert 'Hour</a> <span class="pill">popular</span>' in page


def test_what_earlier_versions_sold_counts_and_free_plans_do_not() -> None:
    first = shop.stall()
    before = digest(first)
    second = pricing.publish(shop.draft(first.route, amount=9), shop.NOW)
    free = shop.price(first.route, "Free", amount=0)
    demand.note({before: 10, digest(second): 5, digest(free): 99})
    assert [(each.price_id, each.sold) for each in PlanDemand.objects.all()] == [(second.pk, 15)]
    demand.note({})
    assert not PlanDemand.objects.exists()
