import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from marketplace import listing, visiting
from marketplace.cards import measured
from marketplace.models import MeasuredDay, Service, Standing, Turn, Upstream
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Api(http.server.BaseHTTPRequestHandler):
    answers = 200
    asked: list[tuple[str, str | None]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.answers)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def api(settings: Settings) -> Iterator[str]:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]
    Api.answers = 200
    Api.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def offered(address: str, slug: str = "weather") -> Service:
    made = shop.service(shop.provider(slug.title()), slug)
    Upstream.objects.filter(service=made).update(url=address)
    return made


def test_answer_counts_and_an_error_brings_it_down_until_it_answers_again(api: str) -> None:
    service = offered(api)
    for minute, status in enumerate([204, 500, 503, 401]):
        Api.answers = status
        assert visiting.visit(NOW + minute * MINUTE) == 1
        down = Standing.objects.get().down_since
        assert down == (NOW + MINUTE if status >= 500 else None)
    listing.refresh([service.pk], NOW)
    day, row = MeasuredDay.objects.get(), Standing.objects.get()
    assert (day.probes, day.answered, row.probes, row.uptime) == (4, 2, 4, None)
    assert measured(row).health == "up"
    assert row.probed_at == NOW + 3 * MINUTE


def test_provider_s_key_stays_at_home(api: str) -> None:
    service = offered(f"{api}/base")
    Service.objects.filter(pk=service.pk).update(
        credential_in="header",
        credential_name="Authorization",
        credential_value="secret",
        request_set="Authorization: also secret",
        health_path="/health",
    )
    visiting.visit(NOW)
    assert Api.asked == [("/base/health", None)]


def test_second_upstream_is_asked_where_the_first_does_not_answer(api: str) -> None:
    service = offered("http://127.0.0.1:9")
    Upstream.objects.create(service=service, url=api)
    visiting.visit(NOW)
    assert Standing.objects.get().down_since is None
    assert len(Api.asked) == 1


def test_address_that_may_not_be_called_is_not_called(api: str, settings: Settings) -> None:
    settings.UPSTREAM_NETWORKS = []
    offered(api)
    visiting.visit(NOW)
    assert Api.asked == []
    assert Standing.objects.get().down_since == NOW


def test_one_visits_at_a_time_and_a_dead_one_is_succeeded(api: str) -> None:
    offered(api)
    Turn.objects.create(name=visiting.TURN, taken_until=NOW + MINUTE)
    assert visiting.visit(NOW) == 0
    assert visiting.visit(NOW + MINUTE) == 1


def test_all_have_their_turn(api: str, settings: Settings) -> None:
    settings.PROBES_PER_MINUTE = 2
    services = [offered(api, f"s{number}").pk for number in range(6)]
    kept = Service.objects.filter(pk__in=services[:3])
    for each, shown in zip(kept, ("unlisted", "members", "unlisted"), strict=True):
        Service.objects.filter(pk=each.pk).update(visibility=shown)
    offered(api, "draft")
    Service.objects.filter(slug="draft").update(state="draft", visibility="unlisted")
    listing.refresh([each.pk for each in Service.objects.all()])
    for minute in range(3):
        visiting.visit(NOW + minute * MINUTE)
    visited = Standing.objects.exclude(probed_at=None).values_list("pk", flat=True)
    assert sorted(visited) == sorted(services)
    settings.PROBES_PER_MINUTE = 0
    assert visiting.visit(NOW + 9 * MINUTE) == 0


def test_who_has_no_time_left_is_first_the_next_time(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(api)
    monkeypatch.setattr(visiting, "BEGUN_WITHIN_S", 0.0)
    assert visiting.visit(NOW) == 0
    assert Standing.objects.get().probe_due_s == 0
    assert MeasuredDay.objects.count() == 0
