import pytest
from django.urls import reverse
from django.utils import timezone

from gateway.domain.guards import Guard, Pace
from marketplace import quoting
from marketplace.guarding import QUOTE_SECONDS_MAX
from marketplace.models import Service
from tests.gateway.tables import compile_table
from tests.marketplace.admin import test_routes, test_services
from tests.marketplace.admin.people import People, price_fields
from tests.publications import published

ADDRESS = "guard_client_requests"


def guard_of(route_id: str) -> Guard | None:
    return compile_table(published()).routes[route_id].guard


def save_route(people: People, **guards: object) -> str:
    route = people.sold.route
    address = reverse("admin:marketplace_route_change", args=[route.pk])
    answer = people.as_alba.post(address, test_routes.fields(route, **guards), follow=True)
    return answer.content.decode()


def save_service(people: People, **guards: object) -> str:
    service = Service.objects.get(slug="alba-weather")
    fields = test_services.existing_fields(service, **guards)
    return people.as_alba.post(test_services.form_of(service), fields, follow=True).content.decode()


def test_guards_of_a_service_reach_the_gate_and_a_route_may_differ(people: People) -> None:
    save_service(people, guard_concurrency=9, guard_body_bytes=1000)
    assert guard_of("alba-weather/alba-day") == Guard(concurrency=9, body_bytes_max=1000)
    save_route(people, guard_concurrency=2, guard_idle_ms=500, **{ADDRESS: 600})
    assert guard_of("alba-weather/alba-day") == Guard(concurrency=9, body_bytes_max=1000)
    save_route(
        people, guard_concurrency=2, guard_idle_ms=500, guard_client_window_s=60, **{ADDRESS: 600}
    )
    assert guard_of("alba-weather/alba-day") == Guard(
        client_pace=Pace(600, 60), concurrency=2, body_bytes_max=1000, idle_ms=500
    )
    assert guard_of("bruno-files/bruno-get") is None


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ({ADDRESS: 5}, "These two go together."),
        ({"guard_window_s": 5}, "These two go together."),
        ({"guard_concurrency": 0}, "greater than or equal to 1"),
        ({"guard_idle_ms": 3_600_001}, "less than or equal to 3600000"),
    ],
)
def test_what_is_no_guard_is_refused(people: People, guards: dict[str, object], said: str) -> None:
    assert said in save_route(people, **guards)
    assert guard_of("alba-weather/alba-day") is None


def test_guard_that_takes_away_what_is_on_sale_is_refused(people: People) -> None:
    slow = {"guard_requests": 10, "guard_window_s": 60}
    for page in (save_route(people, **slow), save_service(people, **slow)):
        assert "1,000 calls cannot be made in time at 10 calls in 60 s" in page
    assert guard_of("alba-weather/alba-day") is None


def test_price_that_the_guards_take_away_is_refused(people: People) -> None:
    save_route(people, guard_requests=100, guard_window_s=60)
    fields = price_fields(route=people.sold.route_id, name="Big", _publish="1")
    page = people.as_alba.post(
        reverse("admin:marketplace_routequote_add"),
        fields | {"calls_amount": "1000000", "access_count": "1", "access_unit": "hour"},
    )
    assert "1,000,000 calls cannot be made in time" in page.content.decode()
    assert not people.sold.route.quotes.filter(name="Big").exists()


def test_guard_binds_what_is_bought_after_it_was_set(people: People) -> None:
    now_s = timezone.now().timestamp()
    quoting.signed(people.sold, now_s)
    page = save_route(people, guard_concurrency=5)
    assert "The guards bind grants bought after" in page
    guard = guard_of("alba-weather/alba-day")
    assert guard is not None
    assert 0 <= guard.since_s - int(now_s) - QUOTE_SECONDS_MAX <= 60


def test_guard_that_is_loosened_binds_as_before(people: People) -> None:
    save_route(people, guard_concurrency=5)
    quoting.signed(people.sold, timezone.now().timestamp())
    assert "bind grants bought" not in save_route(people, guard_concurrency=6)
    assert guard_of("alba-weather/alba-day") == Guard(since_s=0, concurrency=6)
    assert "bind grants bought" in save_route(people, guard_concurrency=4)


def test_route_that_falls_back_to_a_tighter_guard_is_tightened(people: People) -> None:
    save_service(people, guard_concurrency=2)
    save_route(people, guard_concurrency=8)
    quoting.signed(people.sold, timezone.now().timestamp())
    assert "bind grants bought" in save_route(people)
    guard = guard_of("alba-weather/alba-day")
    assert guard is not None
    assert (guard.concurrency, guard.since_s > 0) == (2, True)
