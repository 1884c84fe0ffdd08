import pytest

from marketplace.trying.offering import trial_of
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def test_the_shortest_free_plan_with_a_quota_is_the_trial() -> None:
    route = shop.route(shop.service(shop.provider()))
    rate = [{"kind": "rate", "count": 1, "window_seconds": 1}]
    paid = shop.price(route, "Paid")
    endless = shop.price(route, "Endless", amount=0, access_seconds=1, limits=rate)
    day = shop.price(route, "Day", amount=0, access_seconds=86_400)
    minutes = shop.price(route, "Minutes", amount=0, access_seconds=600)
    assert trial_of([paid, endless, day, minutes]) == minutes
    assert trial_of([paid, endless]) is None
