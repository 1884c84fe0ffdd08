import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from pytest_django.fixtures import Settings

from gateway.models import GrantLedger
from marketplace.models import Route, Service, Upstream
from tests import publications
from tests.marketplace.admin.people import SEVERAL, People, management

ADD = "/admin/marketplace/service/add/"


@pytest.fixture(autouse=True)
def loopback_is_listed(settings: Settings) -> None:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]


def service_fields(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "name": "Tides",
        "slug": "tides",
        "tagline": "High and low water.",
        "description": "**All** coasts.",
        "state": "published",
        "connect_ms": 5000,
        "first_byte_ms": 100_000,
        "idle_ms": 300_000,
        **SEVERAL,
        **management("upstreams", 1, 0),
        "upstreams-0-url": "http://127.0.0.1:9000/tides",
        "upstreams-0-weight": 1,
        **management("routes", 1, 0),
        "routes-0-name": "All",
        "routes-0-slug": "all",
        "routes-0-path": "/",
        "routes-0-methods": ["GET"],
    }
    return fields | changes


def form_of(service: Service) -> str:
    return reverse("admin:marketplace_service_change", args=[service.pk])


def existing_fields(service: Service, **changes: object) -> dict[str, object]:
    [upstream], [route] = service.upstreams.all(), service.routes.all()
    fields: dict[str, object] = {
        "name": service.name,
        "slug": service.slug,
        "tagline": service.tagline,
        "state": service.state,
        "connect_ms": 5000,
        "first_byte_ms": 100_000,
        "idle_ms": 300_000,
        **SEVERAL,
        **management("upstreams", 1, 1),
        "upstreams-0-id": upstream.pk,
        "upstreams-0-service": service.pk,
        "upstreams-0-url": upstream.url,
        "upstreams-0-weight": upstream.weight,
        **management("routes", 1, 1),
        "routes-0-id": route.pk,
        "routes-0-service": service.pk,
        "routes-0-name": route.name,
        "routes-0-slug": route.slug,
        "routes-0-path": route.path,
        "routes-0-methods": route.methods,
    }
    return fields | changes


def hold(route: str) -> None:
    GrantLedger.objects.create(
        grant_id="cd" * 32, route=route, limits=[], not_before=0, expires_at=4_000_000_000
    )


def published() -> list[dict[str, Any]]:
    services: list[dict[str, Any]] = publications.published()["services"]
    return services


def gated() -> list[str]:
    return [service["slug"] for service in published()]


def test_fields_in_rows_have_labels(people: People) -> None:
    page = people.as_alba.get(ADD).content.decode()
    for name in ("upstreams-0-url", "upstreams-0-weight", "routes-0-name", "routes-0-path"):
        assert f'<label class="sr" for="id_{name}">' in page


def test_provider_makes_a_service_with_upstream_and_route_on_one_page(people: People) -> None:
    fields = service_fields(regions=["europe", "asia"], tags="Spring tides,Coast, coast")
    assert people.as_alba.post(ADD, fields).status_code == 302
    made = Service.objects.get(slug="tides")
    assert made.provider == people.alba
    assert made.runs_in == ["Asia", "Europe"]
    assert made.tags == ["spring-tides", "coast"]
    assert 'value="spring-tides, coast"' in people.as_alba.get(form_of(made)).content.decode()
    assert [upstream.url for upstream in made.upstreams.all()] == ["http://127.0.0.1:9000/tides"]
    assert [(route.path, route.methods) for route in made.routes.all()] == [("/", ["GET"])]
    assert "tides" in gated()


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://0x0a.1/",
        "ftp://127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1/?a=b",
        "not an address",
    ],
)
def test_upstream_that_may_not_be_called_is_refused(people: People, url: str) -> None:
    page = people.as_alba.post(ADD, service_fields(**{"upstreams-0-url": url}))
    assert page.status_code == 200
    assert page.context["inline_admin_formsets"][0].formset.errors[0]["url"]
    assert not Service.objects.filter(slug="tides").exists()


def test_loopback_is_refused_unless_staff_list_it(people: People, settings: Settings) -> None:
    settings.UPSTREAM_NETWORKS = []
    page = people.as_alba.post(ADD, service_fields())
    assert "127.0.0.1 is not a public address." in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slug": "Tides!"}, "lower-case"),
        ({"slug": "alba-weather"}, "already exists"),
        ({"upstreams-0-url": ""}, "needs an upstream"),
        ({"routes-0-path": "/a/../b"}, "cannot be a route"),
        ({"routes-0-path": "no-slash"}, "cannot be a route"),
        ({"routes-0-slug": "x y"}, "lower-case"),
        ({"connect_ms": "0"}, "greater than or equal to 1"),
        ({"state": "sold"}, "Select a valid choice"),
        ({"tags": "天気"}, "is no tag"),
        ({"tags": ",".join("abcdefghijk")}, "10 tags at most"),
        ({"regions": ["atlantis"]}, "Select a valid choice"),
    ],
    ids=str,
)
def test_bad_input_is_said_and_changes_nothing(
    people: People, changes: dict[str, object], said: str
) -> None:
    page = people.as_alba.post(ADD, service_fields(**changes))
    assert page.status_code == 200
    assert said in page.content.decode()
    assert "tides" not in gated()
    assert Route.objects.count() == 2


def test_two_routes_that_claim_the_same_are_refused(people: People) -> None:
    second = {
        **management("routes", 2, 0),
        "routes-1-name": "Again",
        "routes-1-slug": "again",
        "routes-1-path": "/",
    }
    page = people.as_alba.post(ADD, service_fields(**second))
    assert "Another route answers the same path and method." in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slug": "renamed"}, "This address is in use"),
        ({"state": "draft"}, "Withdraw the service"),
        ({"routes-0-slug": "renamed"}, "cannot be renamed"),
        ({"routes-0-path": "/alba-day/deeper"}, "would no longer answer"),
        ({"routes-0-methods": ["GET"]}, "would no longer answer"),
    ],
    ids=str,
)
def test_what_live_grants_need_is_not_taken_away(
    people: People, changes: dict[str, object], said: str
) -> None:
    service = people.sold.route.service
    hold("alba-weather/alba-day")
    before = list(Route.objects.values()), list(Service.objects.values("slug", "state"))
    page = people.as_alba.post(form_of(service), existing_fields(service, **changes))
    assert page.status_code == 200
    assert said in page.content.decode()
    assert "1 running grant is valid until" in page.content.decode()
    assert (list(Route.objects.values()), list(Service.objects.values("slug", "state"))) == before


def test_route_put_in_front_of_a_sold_one_is_refused(people: People) -> None:
    service = people.sold.route.service
    hold("alba-weather/alba-day")
    second = {
        **management("routes", 2, 1),
        "routes-1-name": "Part",
        "routes-1-slug": "part",
        "routes-1-path": "/alba-day/part",
    }
    page = people.as_alba.post(form_of(service), existing_fields(service, **second))
    assert "would no longer answer any call to /alba-day/part" in page.content.decode()


def test_held_route_may_be_widened_and_its_service_withdrawn(people: People) -> None:
    service = people.sold.route.service
    hold("alba-weather/alba-day")
    changes = {"routes-0-path": "/", "state": "withdrawn"}
    answer = people.as_alba.post(form_of(service), existing_fields(service, **changes))
    assert answer.status_code == 302
    [body] = [
        each for each in publications.published()["services"] if each["slug"] == "alba-weather"
    ]
    assert [(route["path"], route["offers"]) for route in body["routes"]] == [("/", [])]


def test_secret_is_shown_once_and_then_masked(people: People) -> None:
    service = people.sold.route.service
    address = f"/admin/marketplace/service/{service.pk}/secret/"
    page = people.as_alba.post(address)
    service.refresh_from_db()
    assert len(service.secret) == 64
    assert service.secret in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    later = people.as_alba.get(form_of(service)).content.decode()
    assert service.secret not in later
    assert f"••••{service.secret[-4:]}" in later
    body = publications.published()
    assert [each["secret"] for each in body["services"] if each["slug"] == "alba-weather"] == [
        service.secret
    ]


@contextlib.contextmanager
def upstream(status: int, body: bytes, **headers: str) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_upstream_test_shows_status_latency_and_first_bytes(people: People) -> None:
    row = Upstream.objects.get(service__slug="alba-weather")
    with upstream(418, b"<b>short and stout</b>") as port:
        Upstream.objects.update(url=f"http://127.0.0.1:{port}/")
        page = people.as_alba.post(
            f"/admin/marketplace/service/{row.service_id}/upstreams/{row.pk}/test/"
        ).content.decode()
    assert "418" in page
    assert "ms to the first byte" in page
    assert "&lt;b&gt;short and stout" in page


def test_upstream_test_says_why_it_cannot_be_called(people: People) -> None:
    row = Upstream.objects.get(service__slug="alba-weather")
    Upstream.objects.update(url="http://10.1.2.3/")
    address = f"/admin/marketplace/service/{row.service_id}/upstreams/{row.pk}/test/"
    page = people.as_alba.post(address).content.decode()
    assert "10.1.2.3 is not a public address." in page
    other = Upstream.objects.get(service__slug="bruno-files")
    address = f"/admin/marketplace/service/{row.service_id}/upstreams/{other.pk}/test/"
    assert people.as_alba.post(address).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "good"),
    [
        ("host", "tides.example", True),
        ("host", "TIDES.example", True),
        ("host", "tides.example:80", False),
        ("host", "127.0.0.1", False),
        ("root_path", "/package.Service", True),
        ("root_path", "/admin", False),
        ("root_path", "/gate/x", False),
        ("root_path", "/", False),
        ("root_path", "relative", False),
    ],
)
def test_staff_give_a_service_an_address_of_its_own(
    people: People, field: str, value: str, good: bool
) -> None:
    fields = service_fields(provider=people.alba.pk, **{field: value})
    assert (people.as_staff.post(ADD, fields).status_code == 302) is good
    assert Service.objects.filter(slug="tides").exists() is good


def test_names_are_resolved_before_the_database_is_locked(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow name service must not keep the gate's ledger from writing."""
    seen: list[bool] = []
    depth = len(connection.savepoint_ids)  # The test's own transaction.

    def resolve(*_: object, **__: object) -> object:
        seen.append(len(connection.savepoint_ids) > depth)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr("gateway.addresses.socket.getaddrinfo", resolve)
    fields = service_fields(**{"upstreams-0-url": "http://tides.example/"})
    assert people.as_alba.post(ADD, fields).status_code == 302
    assert seen == [False]


def test_saved_upstream_whose_name_is_gone_does_not_stop_other_changes(
    people: People, settings: Settings
) -> None:
    service = people.sold.route.service
    settings.UPSTREAM_NETWORKS = []  # What was allowed when it was saved is not any more.
    answer = people.as_alba.post(
        form_of(service), existing_fields(service, tagline="A better line.")
    )
    assert answer.status_code == 302
    service.refresh_from_db()
    assert service.tagline == "A better line."


def test_allowed_origins_are_origins_and_reach_the_gate(people: People) -> None:
    people.as_alba.post(
        ADD, service_fields(allowed_origins="https://App.example\nhttp://x.example:81")
    )
    [service] = Service.objects.filter(slug="tides")
    assert service.allowed_origins == ["https://app.example", "http://x.example:81"]
    assert published()[-1]["allowed_origins"] == service.allowed_origins
    for wrong in ("app.example", "https://app.example/", "https://*.example", "null"):
        fields = existing_fields(service, allowed_origins=wrong)
        answer = people.as_alba.post(form_of(service), fields)
        assert b"is no origin" in answer.content
    service.refresh_from_db()
    assert len(service.allowed_origins) == 2
