"""Where there are many rows: nothing is listed to choose from, and no page asks once for each."""

import pytest
from pytest_django import DjangoAssertNumQueries

from marketplace.admin import scoping
from tests.marketplace import shop
from tests.marketplace.admin.people import People, price_fields

PRICES = "/admin/marketplace/routequote/"
ROUTES_FOUND = "/admin/autocomplete/?app_label=marketplace&model_name=routequote&field_name=route"


@pytest.fixture
def many(people: People, monkeypatch: pytest.MonkeyPatch) -> People:
    monkeypatch.setattr(scoping, "OFFERED_MAX", 1)
    shop.route(people.theirs.route.service, "bruno-put")
    return people


def options(page: str) -> str:
    """What stands in the form to choose a route from."""
    return page.partition('name="route"')[2].partition("</select>")[0]


def test_row_is_searched_for_where_there_are_too_many_to_choose_from(many: People) -> None:
    form = many.as_bruno.get(f"{PRICES}add/").content.decode()
    assert "bruno-get" not in options(form)
    assert "/admin/autocomplete/" in options(form)
    found = many.as_bruno.get(f"{ROUTES_FOUND}&term=bruno").json()["results"]
    assert len(found) == 2
    assert many.as_bruno.get(f"{ROUTES_FOUND}&term=alba").json()["results"] == []


def test_row_that_was_searched_for_is_saved_and_shown(many: People) -> None:
    fields = price_fields(route=many.theirs.route_id, name="Found")
    saved = many.as_bruno.post(f"{PRICES}add/", fields, follow=True).content.decode()
    assert "saved as a draft" in saved
    assert "bruno-get" in options(saved)


def test_foreign_row_is_refused_where_rows_are_searched_for(many: People) -> None:
    foreign = price_fields(route=many.sold.route_id, name="Mine")
    assert b"Select a valid choice" in many.as_bruno.post(f"{PRICES}add/", foreign).content


def test_few_are_listed(people: People) -> None:
    assert "bruno-get" in options(people.as_bruno.get(f"{PRICES}add/").content.decode())


def test_only_who_has_a_few_services_filters_by_them(people: People) -> None:
    for model in ("routequote", "route"):
        listed = f"/admin/marketplace/{model}/"
        other = shop.route(shop.service(people.bruno, f"other-{model}"), f"x-{model}")
        shop.price(other)
        assert b"By service" in people.as_bruno.get(listed).content
        assert b"By service" not in people.as_staff.get(listed).content


def test_list_of_prices_asks_as_often_for_many_as_for_one(
    people: People, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        shop.price(shop.route(people.theirs.route.service, f"more-{number}"))
    with django_assert_max_num_queries(10):
        assert b"more-4" in people.as_staff.get(PRICES).content
