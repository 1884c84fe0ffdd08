"""How a service's upstreams are called, as its provider sets it up."""

import html
import http.server
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from gateway.models import RecentCall, RestingUpstream, Snapshot
from marketplace.models import Service, Standing
from tests.certificates import Authority
from tests.marketplace import shop
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


SECRET = "Bearer sk-hidden-0123456789"
KEY = {"credential_in": "header", "credential_name": "Authorization"}


def test_providers_key_is_saved_published_and_never_shown(people: People) -> None:
    service = people.sold.route.service
    fields = existing_fields(service, **KEY)
    missing = people.as_alba.post(form_of(service), fields)
    assert "The key is missing." in missing.content.decode()

    broken = people.as_alba.post(
        form_of(service), fields | {"new_credential": SECRET, "tagline": ""}
    )
    assert broken.status_code == 200
    assert SECRET not in broken.content.decode()

    saved = people.as_alba.post(form_of(service), fields | {"new_credential": SECRET})
    assert saved.status_code == 302
    [body] = [each for each in published() if each["slug"] == "alba-weather"]
    assert body["transform"]["credential"] == {
        "in": "header",
        "name": "Authorization",
        "value": SECRET,
    }
    history = reverse("admin:marketplace_service_history", args=[service.pk])
    snapshot = reverse("admin:gateway_snapshot_changelist")
    newest = reverse("admin:gateway_snapshot_change", args=[Snapshot.objects.latest("version").pk])
    for person, page in (
        (people.as_alba, form_of(service)),
        (people.as_alba, history),
        (people.as_staff, form_of(service)),
        (people.as_staff, snapshot),
        (people.as_staff, newest),
        (people.as_bruno, "/"),
        (people.as_bruno, f"/services/{service.slug}/"),
    ):
        answer = person.get(page)
        assert answer.status_code == 200, page
        assert "sk-hidden" not in answer.content.decode(), page

    assert people.as_alba.post(form_of(service), fields).status_code == 302
    service.refresh_from_db()
    assert service.credential_value == SECRET
    assert people.as_alba.post(form_of(service), existing_fields(service)).status_code == 302
    service.refresh_from_db()
    assert (service.credential_value, service.credential_name) == ("", "")


def test_changes_on_the_way_are_published_as_the_gate_reads_them(people: People) -> None:
    service = people.sold.route.service
    fields = existing_fields(
        service,
        strip_prefix="/public",
        add_prefix="/v2/",
        upstream_host="API.internal",
        request_set="X-Plan:  gold \r\n\r\nX-Other: 1",
        request_remove="Referer",
        response_remove="X-Powered-By\nVia",
    )
    assert people.as_alba.post(form_of(service), fields).status_code == 302
    [body] = [each for each in published() if each["slug"] == "alba-weather"]
    assert body["transform"] == {
        "credential": None,
        "strip_prefix": "/public",
        "add_prefix": "/v2",
        "keeps_host": False,
        "host": "api.internal",
        "request_set": ["x-plan: gold", "x-other: 1"],
        "request_remove": ["referer"],
        "response_set": [],
        "response_remove": ["x-powered-by", "via"],
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"request_set": "Content-Length: 1"}, "is not yours to change"),
        ({"request_set": "ApiCharge-Buyer: me"}, "is not yours to change"),
        ({"request_set": "no colon"}, "of the form Name: value"),
        ({"request_set": "X-A: é"}, "printable ASCII on one line"),
        ({"request_remove": "Transfer-Encoding"}, "is not yours to change"),
        ({"response_set": "Connection: close"}, "is not yours to change"),
        ({"response_remove": "two words"}, "is not the name of a header"),
        ({"strip_prefix": "/a/../b"}, "This path cannot be used"),
        ({"add_prefix": "/a?b"}, "written as it is sent"),
        ({"upstream_host": "a b"}, "A host name such as"),
        ({"keeps_host": "on", "upstream_host": "a.example"}, "Either the Host that was called"),
        ({**KEY, "credential_name": "Host", "new_credential": "x"}, "is not yours to change"),
        ({"credential_in": "query", "credential_name": "a b", "new_credential": "x"}, "parameter"),
    ],
)
def test_changes_that_the_gate_does_not_make_are_refused(
    people: People, changes: dict[str, object], said: str
) -> None:
    page = people.as_alba.post(ADD, service_fields(**changes))
    assert page.status_code == 200
    assert said in html.unescape(page.content.decode())


def test_test_of_an_upstream_sends_the_key_and_does_not_show_it(people: People) -> None:
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = f"{self.path} {self.headers['Authorization']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    service = people.sold.route.service
    row = service.upstreams.get()
    Service.objects.filter(pk=service.pk).update(credential_value=SECRET, **KEY)
    service.upstreams.update(url=f"http://127.0.0.1:{server.server_port}/echo")
    address = f"/admin/marketplace/service/{service.pk}/upstreams/{row.pk}/test/"
    page = people.as_alba.post(address).content.decode()
    thread.join()
    server.server_close()
    assert "/echo ••••••••" in page
    assert "sk-hidden" not in page


def test_screen_tells_what_probes_say_and_which_calls_failed(people: People) -> None:
    service = people.sold.route.service
    call = {"provider": service.provider_id, "at": shop.NOW, "method": "GET", "path": "/alba"}
    call |= {"grant": "g", "route": "alba-weather/alba-day"}
    call |= dict.fromkeys(("bytes_up", "bytes_down", "credits", "messages"), 0)
    for status, end in ((503, "completed"), (None, "upstream_silent"), (200, "completed")):
        RecentCall.objects.create(status=status, end=end, **call)
    Standing.objects.filter(service=service).update(probed_at=shop.NOW, down_since=shop.NOW)
    lately = timezone.now()
    for node, seen in (("n1", lately), ("n2", lately), ("n3", lately - timedelta(hours=1))):
        where = {"service": service.slug, "url": service.upstreams.get().url}
        RestingUpstream.objects.create(
            node=node, is_down=node == "n2", since=lately, seen_at=seen, **where
        )
    with CaptureQueriesContext(connection) as asked:
        page = people.as_alba.get("/admin/upstreams/").content.decode()
    assert len(asked) <= 10
    assert "down since" in page
    assert page.count("<code>GET /alba</code>") == 2
    for said in (
        "It answered 503",
        'href="/problems/upstream-',
        "Test it",
        "kind=incident",
        "2 gates leave it",
    ):
        assert said in page
    assert "alba" not in people.as_bruno.get("/admin/upstreams/?provider=alba").content.decode()
    assert "?provider=alba" in people.as_staff.get("/admin/upstreams/").content.decode()
    Standing.objects.update(down_since=None)
    RecentCall.objects.all().delete()
    page = people.as_alba.get("/admin/upstreams/").content.decode()
    assert "answers" in page
    assert "None among the latest" in page
