"""How a service's upstreams are called, as its provider sets it up."""

import html

import pytest
from pytest_django.fixtures import Settings

from marketplace.models import Service
from tests.certificates import Authority
from tests.marketplace.admin.people import People, management
from tests.marketplace.admin.test_routes import fields as route_fields
from tests.marketplace.admin.test_routes import page_of
from tests.marketplace.admin.test_services import (
    ADD,
    existing_fields,
    form_of,
    published,
    service_fields,
)


@pytest.fixture(autouse=True)
def loopback_is_listed(settings: Settings) -> None:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]


def test_provider_shares_the_load_and_has_upstreams_asked_for_their_health(people: People) -> None:
    fields = service_fields(
        **management("upstreams", 2, 0),
        **{
            "upstreams-1-url": "http://127.0.0.1:9001/tides",
            "upstreams-1-weight": 3,
            "balancing": "weighted",
            "health_path": "/health",
            "health_interval_ms": 5_000,
        },
    )
    assert people.as_alba.post(ADD, fields).status_code == 302
    [body] = [each for each in published() if each["slug"] == "tides"]
    assert body["upstreams"] == [
        {"url": "http://127.0.0.1:9000/tides", "weight": 1},
        {"url": "http://127.0.0.1:9001/tides", "weight": 3},
    ]
    assert body["balancing"] == "weighted"
    assert body["health"] == {
        "path": "/health",
        "interval_ms": 5_000,
        "timeout_ms": 1_000,
        "healthy_after": 2,
        "unhealthy_after": 3,
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"upstreams-0-weight": 0}, "greater than or equal to 1"),
        ({"upstreams-0-weight": 1001}, "less than or equal to 1000"),
        ({"health_path": "health"}, "This path cannot be asked for"),
        ({"health_path": "/health?deep=1"}, "without a query"),
        ({"health_path": "/a/../b"}, "This path cannot be asked for"),
        ({"health_interval_ms": 10}, "greater than or equal to 1000"),
        ({"health_timeout_ms": 2_001}, "must be over before the next one begins"),
        ({"unhealthy_after": 0}, "greater than or equal to 1"),
        ({"balancing": "by_mood"}, "Select a valid choice"),
    ],
)
def test_form_refuses_a_cluster_that_makes_no_sense(
    people: People, changes: dict[str, object], said: str
) -> None:
    page = people.as_alba.post(ADD, service_fields(**changes))
    assert page.status_code == 200
    assert said in html.unescape(page.content.decode())
    assert not Service.objects.filter(slug="tides").exists()


def test_route_has_timeouts_of_its_own(people: People) -> None:
    route = people.sold.route
    answer = people.as_alba.post(
        page_of(route, "change"), route_fields(route, first_byte_ms=700, idle_ms="")
    )
    assert answer.status_code == 302
    [body] = [each for each in published() if each["slug"] == "alba-weather"]
    assert body["routes"][0]["timeouts"] == {"first_byte_ms": 700}
    page = people.as_alba.post(page_of(route, "change"), route_fields(route, connect_ms=0))
    assert "greater than or equal to 1" in page.content.decode()


def test_private_key_is_saved_published_and_never_shown(people: People) -> None:
    authority = Authority()
    first, second = authority.sign("gate.example"), authority.sign("gate.example")
    service = people.sold.route.service
    pair = {"tls_ca": authority.pem, "tls_certificate": first.certificate}
    fields = existing_fields(service, **pair)
    secret = first.key.splitlines()[1]

    wrong = people.as_alba.post(form_of(service), fields | {"new_tls_key": second.key})
    assert "no certificate in PEM with its own key" in wrong.content.decode()
    assert second.key.splitlines()[1] not in wrong.content.decode()

    assert people.as_alba.post(form_of(service), fields | {"new_tls_key": first.key}).status_code
    assert secret not in people.as_alba.get(form_of(service)).content.decode()
    [body] = [each for each in published() if each["slug"] == "alba-weather"]
    assert body["tls"]["key"].strip() == first.key.strip()
    assert body["tls"]["ca"].strip() == authority.pem.strip()

    # Another change leaves the key alone; a new certificate needs its own; none forgets it.
    assert people.as_alba.post(form_of(service), fields).status_code == 302
    service.refresh_from_db()
    assert service.tls_key.strip() == first.key.strip()
    page = people.as_alba.post(
        form_of(service), fields | {"tls_certificate": second.certificate}
    ).content.decode()
    assert "no certificate in PEM with its own key" in page
    assert secret not in page
    assert people.as_alba.post(form_of(service), existing_fields(service)).status_code == 302
    service.refresh_from_db()
    assert (service.tls_key, service.tls_certificate) == ("", "")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("tls_ca", "One or more certificates in PEM"),
        ("tls_certificate", "certificate&#x27;s key is missing"),
        ("new_tls_key", "key&#x27;s certificate is missing"),
    ],
)
def test_tls_settings_that_are_none_are_refused(people: People, field: str, said: str) -> None:
    page = people.as_alba.post(ADD, service_fields(**{field: "hello"}))
    assert page.status_code == 200
    assert said in page.content.decode()
