"""The console's lists and forms ask the database as often for many rows as for few."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.marketplace import shop
from tests.marketplace.admin.people import People


@pytest.mark.parametrize(
    ("page", "queries"),
    [
        ("service_changelist", 9),
        ("route_changelist", 9),
        ("routequote_changelist", 10),
        ("routequote_add", 8),
    ],
)
def test_queries_do_not_grow_with_the_rows(people: People, page: str, queries: int) -> None:
    address = reverse(f"admin:marketplace_{page}")
    people.as_alba.get(address)
    with CaptureQueriesContext(connection) as few:
        people.as_alba.get(address)
    for number in range(8):
        route = shop.route(shop.service(people.alba, f"alba-{number}"))
        shop.price(route)
        shop.draft(route, "Next")
    with CaptureQueriesContext(connection) as many:
        assert people.as_alba.get(address).status_code == 200
    assert len(many) <= len(few) <= queries
