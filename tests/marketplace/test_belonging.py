"""A service for members: each of its addresses is there for those who may, and for nobody else."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import DjangoAssertNumQueries

from accounts import memberships
from accounts.models import Membership, Organisation
from marketplace import listing, pages
from marketplace.models import RouteQuote, Service
from tests.marketplace import shop
from tests.publications import published

pytestmark = pytest.mark.django_db
GONE = (404, 405)


@pytest.fixture
def house() -> Organisation:
    house = Organisation(name="House", slug="house")
    memberships.found(house, User.objects.create_user("owner"))
    member = User.objects.create_user("member")
    Membership.objects.create(organisation=house, user=member)
    return house


@pytest.fixture
def kept(house: Organisation) -> RouteQuote:
    """For members; published by itself, as the admin does it."""
    owner = shop.provider()
    made = shop.service(owner, "secret", visibility="members", organisation=house)
    return shop.price(shop.route(made))


def addresses(
    patterns: list[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[tuple[str, URLPattern]]:
    for entry in patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, address)
        elif re.match(r"/(services|checkout)/<slug:slug>", address):
            filled = address.replace("<slug:slug>", "secret")
            filled = filled.replace("<slug:route_slug>", "forecast").replace("<int:pk>", "1")
            yield filled, entry


def client_of(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def test_stranger_and_other_provider_find_none_of_its_addresses(kept: RouteQuote) -> None:
    User.objects.create_user("stranger")
    shop.provider("Bruno")
    found = [address for address, _ in addresses(get_resolver().url_patterns)]
    assert len(found) >= 10
    for client in (Client(), client_of("stranger"), client_of("bruno")):
        for address in found:
            assert client.get(address).status_code in GONE, address
            assert client.post(address).status_code in GONE, address


def test_members_seller_and_staff_find_it(kept: RouteQuote) -> None:
    User.objects.create_superuser("staff")
    for name in ("owner", "member", "alba", "staff"):
        client = client_of(name)
        for address in ("/services/secret/", "/services/secret/routes/forecast/"):
            response = client.get(address)
            assert (response.status_code, response.headers["X-Robots-Tag"]) == (200, "noindex")
        quoted = client.get("/apicharge/v1/quotes?route=secret/forecast")
        assert len(quoted.json()["quotes"]) == 1
        assert "private" in quoted.headers["Cache-Control"]


@pytest.mark.parametrize("address", ["/services/secret/", "/services/secret/routes/forecast/"])
def test_page_of_a_member_takes_few_queries(
    kept: RouteQuote, address: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    member = client_of("member")
    member.get(address)  # Quotes are signed at the first visit.
    with django_assert_max_num_queries(10):
        assert member.get(address).status_code == 200


def test_members_see_it_on_the_first_page_and_nobody_else(kept: RouteQuote) -> None:
    User.objects.create_user("stranger")
    assert b"/services/secret/" in client_of("member").get("/").content
    for client in (Client(), client_of("stranger")):
        for address in ("/", "/?q=secret", "/?sort=newest", "/llms.txt", "/sitemap-1.xml"):
            assert b"services/secret/" not in client.get(address).content
        assert client.get("/apicharge/v1/quotes").json()["quotes"] == []
        assert client.get("/apicharge/v1/quotes?route=secret/forecast").status_code == 404


def test_who_leaves_sees_it_no_more(kept: RouteQuote) -> None:
    member = client_of("member")
    memberships.end(Membership.objects.get(user__username="member"))
    assert member.get("/services/secret/").status_code == 404


def test_organisation_that_is_gone_leaves_it_to_nobody(kept: RouteQuote) -> None:
    Organisation.objects.all().delete()
    assert Service.objects.get().visibility == "members"
    assert client_of("member").get("/services/secret/").status_code == 404


def test_gate_serves_grants_and_offers_nothing_to_strangers(kept: RouteQuote) -> None:
    [service] = published()["services"]
    assert [(route["id"], route["offers"]) for route in service["routes"]] == [
        ("secret/forecast", [])
    ]
    assert pages.purchase_page("secret/forecast", "http://gw.example") is None


def test_service_that_becomes_public_is_listed(kept: RouteQuote) -> None:
    service = Service.objects.get()
    service.visibility = Service.Visibility.PUBLIC
    service.save()
    listing.catch_up()
    assert b"/services/secret/" in Client().get("/?q=secret").content
