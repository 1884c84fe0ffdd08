from django.urls import reverse
from django.utils import timezone

from gateway.models import GrantLedger
from marketplace import quoting
from marketplace.models import Route, RouteQuote
from tests.marketplace import shop
from tests.marketplace.admin.people import People, management
from tests.publications import published


def fields(route: Route, **changes: object) -> dict[str, object]:
    own: dict[str, object] = {
        "service": route.service_id,
        "name": route.name,
        "slug": route.slug,
        "path": route.path,
        "methods": route.methods,
        "description": route.description,
        **management("quotes", 0, 0),
    }
    return own | changes


def page_of(route: Route, page: str) -> str:
    return reverse(f"admin:marketplace_route_{page}", args=[route.pk])


def routes_gated() -> list[str]:
    services = published()["services"]
    return [route["id"] for service in services for route in service["routes"]]


def test_route_is_renamed_while_nothing_holds_it(people: People) -> None:
    route = people.sold.route
    answer = people.as_alba.post(page_of(route, "change"), fields(route, slug="day", path="/v2/"))
    assert answer.status_code == 302
    assert "alba-weather/day" in routes_gated()
    route.refresh_from_db()
    assert route.path == "/v2"


def test_signed_quote_holds_a_route_as_a_grant_does(people: People) -> None:
    route = people.sold.route
    quoting.signed(people.sold, timezone.now().timestamp())
    page = people.as_alba.post(page_of(route, "change"), fields(route, slug="day"))
    assert "1 signed quote is valid until" in page.content.decode()
    route.refresh_from_db()
    assert route.slug == "alba-day"


def test_sold_route_is_removed_but_its_prices_stay_as_a_record(people: People) -> None:
    route = people.sold.route
    answer = people.as_alba.post(page_of(route, "delete"), {"post": "yes"})
    assert answer.status_code == 302
    assert routes_gated() == ["bruno-files/bruno-get"]
    assert list(RouteQuote.objects.filter(route=route).values_list("state")) == [("retired",)]
    assert people.as_alba.get(page_of(route, "change")).status_code == 302
    taken = people.as_alba.post(
        reverse("admin:marketplace_route_add"), fields(route, name="New", path="/new")
    )
    assert "This service has, or had, a route with this slug." in taken.content.decode()


def test_route_that_moves_leaves_the_one_service_and_comes_to_the_other(people: People) -> None:
    old = people.sold.route.service
    route = Route.objects.create(service=old, slug="x", name="X", path="/x")
    people.as_alba.post(page_of(route, "change"), fields(route))
    assert "alba-weather/x" in routes_gated()
    other = shop.service(people.alba, "alba-maps")
    people.as_alba.post(page_of(route, "change"), fields(route, service=other.pk))
    assert "alba-maps/x" in routes_gated()
    assert "alba-weather/x" not in routes_gated()


def test_route_that_was_never_sold_is_gone_when_deleted(people: People) -> None:
    route = Route.objects.create(service=people.sold.route.service, slug="x", name="X", path="/x")
    people.as_alba.post(page_of(route, "delete"), {"post": "yes"})
    assert not Route.objects.filter(slug="x").exists()


def test_route_with_live_grants_is_not_deleted(people: People) -> None:
    route = people.sold.route
    GrantLedger.objects.create(
        grant_id="ef" * 32,
        route=route.identifier,
        limits=[],
        not_before=0,
        expires_at=4_000_000_000,
    )
    page = people.as_alba.get(page_of(route, "delete")).content.decode()
    assert "1 running grant is valid until" in page
    people.as_alba.post(page_of(route, "delete"), {"post": "yes"})
    route.refresh_from_db()
    assert route.removed_at is None
    assert "alba-weather/alba-day" in routes_gated()


def test_expired_grant_holds_nothing(people: People) -> None:
    route = people.sold.route
    GrantLedger.objects.create(
        grant_id="ef" * 32, route=route.identifier, limits=[], not_before=0, expires_at=1
    )
    assert people.as_alba.post(page_of(route, "delete"), {"post": "yes"}).status_code == 302
    assert "alba-weather/alba-day" not in routes_gated()
