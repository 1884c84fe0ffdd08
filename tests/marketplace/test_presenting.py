import json
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from marketplace import importing
from marketplace.importing import Source
from marketplace.models import Review, Service, ServiceNote, Standing
from marketplace.presenting import ENDPOINTS_SHOWN
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

pytestmark = pytest.mark.django_db


def page(client: Client, address: str = "/services/weather/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def endpoints(client: Client) -> list[tuple[str, str]]:
    found = r'<code class="method">([^<]+)</code> <code class="path">([^<]+)</code>'
    return re.findall(found, page(client).partition('id="endpoints"')[2])


def described(**paths: object) -> Service:
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "all", path="/"))
    document = json.dumps(WEATHER | ({"paths": paths} if paths else {})).encode()
    importing.keep(service, importing.read(document), Source.PASTE)
    return service


def test_page_has_its_sections_and_leads_to_each(client: Client) -> None:
    shop.stall()
    Service.objects.update(description="What it is.", regions=["europe", "asia"])
    shown = page(client)
    assert "<dt>Runs in</dt><dd>Asia, Europe</dd>" in shown
    named = re.findall(r'<a href="#(\w+)">', shown.partition('class="section-nav"')[2])
    assert named[:3] == ["overview", "plans", "endpoints"]
    for anchor in named:
        assert f'id="{anchor}"' in shown


def test_endpoints_are_those_of_the_document_by_tag(client: Client) -> None:
    described()
    assert endpoints(client) == [
        ("GET", "/v1/forecast/{city}"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/batches/{id}/events"),
    ]
    assert "<h3>Forecasts</h3>" in page(client)
    assert '<span class="pill">streams</span>' in page(client)


def test_endpoints_without_a_document_are_the_routes(client: Client) -> None:
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "files", path="/files", methods=["GET", "PUT"]))
    assert endpoints(client) == [("GET", "/files"), ("PUT", "/files")]
    assert "Everything below this path is included." in page(client)


def test_a_large_api_is_shown_in_part_and_stays_light(client: Client) -> None:
    get = {"get": {"summary": "x" * 140, "description": "y" * 1_000, "responses": {}}}
    described(**{f"/{'z' * 150}/{i}": get for i in range(400)})
    assert len(endpoints(client)) == ENDPOINTS_SHOWN
    assert f"{ENDPOINTS_SHOWN} of 400." in page(client)
    assert len(page(client)) < 100_000


def test_what_a_document_says_is_text(client: Client) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    operation = {"summary": evil, "tags": [evil], "responses": {}, "description": evil}
    described(**{"/a": {"get": operation}})
    for address in ("/services/weather/", "/services/weather/reference/"):
        assert "<script>alert" not in page(client, address)
        assert "<img src=x" not in page(client, address)


def test_reference_runs_our_scripts_alone(client: Client) -> None:
    described()
    response = client.get("/services/weather/reference/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert "/services/weather/openapi.json" in response.content.decode()


def test_nobody_reads_about_a_draft(client: Client) -> None:
    shop.service(shop.provider(), state=Service.State.DRAFT)
    for part in ("", "reference/", "openapi.json"):
        assert client.get(f"/services/weather/{part}").status_code == 404


def test_an_unlisted_service_is_kept_from_robots_on_every_page(client: Client) -> None:
    described()
    Service.objects.update(visibility=Service.Visibility.UNLISTED)
    for part in ("", "reference/", "reviews/", "try/"):
        response = client.get(f"/services/weather/{part}")
        told = response.headers.get("X-Robots-Tag", "") + response.content.decode()
        assert "noindex" in told.partition("<body")[0]
    assert "/services/weather/" not in client.get("/providers/alba/").content.decode()


def test_page_tells_what_speaks_for_the_provider(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_EXPLORER = "https://explorer.example/{account}"
    service = shop.stall().route.service
    page = client.get("/services/weather/").content.decode()
    assert f'href="https://explorer.example/{service.provider.payout_address}"' in page
    assert "bought again" not in page
    assert "promise" not in page
    Service.objects.update(refunds="all of it, before the first call <b>")
    Standing.objects.update(buyers=12, repeat_buyers=5)
    page = client.get("/services/weather/").content.decode()
    assert "41 % of them bought again" in page
    assert page.count("all of it, before the first call &lt;b&gt;") == 2
    assert "counts only calls that" in page
    checkout = client.get("/checkout/weather/forecast/?plan=Hour+pass").content.decode()
    assert "all of it, before the first call &lt;b&gt;" in checkout
    Standing.objects.update(buyers=9)
    assert "bought again" not in client.get("/services/weather/").content.decode()


@pytest.mark.parametrize("logged_in", [False, True])
def test_page_is_ten_questions_at_most_whoever_looks(client: Client, logged_in: bool) -> None:
    service = shop.stall().route.service
    ServiceNote.objects.create(service=service, title="Faster", text="By half.")
    for number in range(3):
        Review.objects.create(
            service=service,
            buyer=f"G{number}",
            grant=f"{number}",
            stars=4 + number % 2,
            text="Good.",
        )
    if logged_in:
        client.force_login(User.objects.create_user("carla"))
    with CaptureQueriesContext(connection) as asked:
        page = client.get("/services/weather/").content.decode()
    assert len(asked) <= 10
    assert "<b>4.3</b>" in page
    assert "By half." in page
