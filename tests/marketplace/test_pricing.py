import pytest

from gateway.domain.limits import LimitError
from marketplace import pricing
from marketplace.models import RouteQuote
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def states() -> list[tuple[int, str, int]]:
    rows = RouteQuote.objects.order_by("version")
    return list(rows.values_list("version", "state", "amount"))


def test_new_version_takes_the_place_of_the_one_on_sale() -> None:
    price = shop.stall()
    pricing.publish(shop.draft(price.route, amount=1), shop.NOW)
    assert states() == [(1, "retired", 2_500_000), (2, "published", 1)]


def test_draft_is_published_once() -> None:
    draft = shop.draft(shop.route(shop.service(shop.provider())))
    pricing.publish(draft, shop.NOW)
    with pytest.raises(pricing.NotADraft):
        pricing.publish(draft, shop.NOW)
    assert states() == [(1, "published", 2_500_000)]


def test_offers_of_a_route_have_versions_of_their_own() -> None:
    price = shop.stall()
    assert shop.price(price.route, "Day pass").version == 1
    assert RouteQuote.objects.on_sale().count() == 2


def test_limits_are_kept_with_every_default_written_out() -> None:
    draft = shop.draft(
        shop.route(shop.service(shop.provider())), limits=[{"kind": "credits", "credits": 9}]
    )
    assert draft.limits == [
        {
            "kind": "credits",
            "credits": 9,
            "per_call": 1,
            "max_per_call": 1,
            "per_unit": None,
            "window_seconds": None,
        }
    ]


def test_limit_that_is_not_enforced_is_not_sold() -> None:
    route = shop.route(shop.service(shop.provider()))
    with pytest.raises(LimitError):
        shop.draft(route, limits=[{"kind": "wishes", "count": 3}])
    assert states() == []
