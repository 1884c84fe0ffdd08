import html
import re

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from billing.domain.errors import BillingError
from gateway.domain.errors import PROBLEMS, Problem
from marketplace import pages, pricing
from marketplace.domain import chains
from marketplace.models import Category, Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


@pytest.fixture
def market() -> None:
    """Three services of two providers, in two categories."""
    sky = Category.objects.create(name="Sky", slug="sky")
    sea = Category.objects.create(name="Sea", slug="sea")
    alba, bruno = shop.provider("Alba"), shop.provider("Bruno")
    for owner, slug, category, amount, asset in (
        (alba, "clouds", sky, 30_000_000, "USDC"),
        (alba, "tides", sea, 10_000_000, "EURC"),
        (bruno, "waves", sea, 20_000_000, "USDC"),
    ):
        service = shop.service(owner, slug, category=category)
        shop.price(shop.route(service, "all"), amount=amount, asset=asset)


def test_service_page_says_price_time_limits_and_what_happens_at_them(client: Client) -> None:
    route = shop.route(shop.service(shop.provider()), methods=["GET"])
    limits = [
        {"kind": "calls", "count": 2_000},
        {"kind": "data", "direction": "down", "bytes": 5_000_000},
        {"kind": "calls", "count": 100, "window_seconds": 60},
    ]
    shop.price(route, "Day", amount=24_000_000, access_seconds=86_400, limits=limits)
    page = text(client, "/services/weather/")
    for said in (
        "2.40 USDC",
        "1 day",
        "2,000 calls",
        "5 MB downloaded",
        "100 calls every minute",
        "402 until you buy again",
        "429 until it renews",
        "the body is cut at the last byte",
        "1.20",  # a thousand calls
        "0.10",  # an hour
        "http://127.0.0.1:8000/gate/weather/forecast",
        shop.account("Alba"),
        "apicharge buy http://127.0.0.1:8000/gate/weather/forecast --budget USDC:2.40",
    ):
        assert said in page


def test_description_is_markdown_and_harmless(client: Client) -> None:
    evil = "**Bold** <script>alert(1)</script> [x](javascript:alert(2)) ![i](https://a.example/i)"
    shop.service(shop.provider(), description=evil)
    page = text(client, "/services/weather/")
    assert "<strong>Bold</strong>" in page
    for bad in ("<script>alert", 'href="javascript', "<img"):
        assert bad not in page


def test_names_are_escaped_everywhere(client: Client) -> None:
    service = shop.service(shop.provider(), tagline="<i>tag</i>")
    Service.objects.update(name="<b>Name</b>")
    shop.price(shop.route(service, name="<u>Route</u>"), "<s>Plan</s>")
    for address in ("/", "/services/weather/", "/services/weather/routes/forecast/"):
        page = text(client, address)
        for bad in ("<i>tag", "<b>Name", "<u>Route", "<s>Plan"):
            assert bad not in page


def test_draft_is_hidden_and_withdrawn_is_shown_without_plans(client: Client) -> None:
    shop.stall()
    Service.objects.update(state="withdrawn")
    page = text(client, "/services/weather/")
    assert "no longer sold" in page
    assert "Buy access" not in page
    assert "Not on sale now" in text(client, "/services/weather/routes/forecast/")
    Service.objects.update(state="draft")
    for address in ("/services/weather/", "/services/weather/routes/forecast/"):
        assert "There is nothing here" in text(client, address, 404)
    assert pages.purchase_page("weather/forecast", "http://gw.example") is None


def test_purchase_page_carries_the_signed_quotes_and_leads_to_the_origin() -> None:
    shop.stall()
    page = (pages.purchase_page("weather/forecast", "https://gw.example") or b"").decode()
    assert "402 Payment required" in page
    assert "Sandbox network" in page
    assert shop.account("Alba") in page
    for link in re.findall(r'(?:href|src)="([^"#]+)"', page):
        assert link.startswith("https://gw.example/")
    assert pages.purchase_page("weather/none", "https://gw.example") is None
    assert pages.purchase_page("nonsense", "https://gw.example") is None


def test_llms_txt_lists_routes_with_prices(client: Client, market: None) -> None:
    page = text(client, "/llms.txt")
    assert "- waves/all: any method http://127.0.0.1:8000/gate/waves/all" in page
    assert "  - Hour pass: 2.00 USDC for 1 hour; 1,000 calls" in page
    assert client.get("/llms.txt").headers["Content-Type"].startswith("text/plain")


def kinds(of: type[BillingError]) -> list[type[BillingError]]:
    return [kind for each in of.__subclasses__() for kind in [each, *kinds(each)]]


@pytest.mark.parametrize(
    "problem", [*PROBLEMS, *kinds(BillingError)], ids=lambda problem: problem.slug
)
def test_each_problem_type_is_explained(client: Client, problem: Problem) -> None:
    page = html.unescape(text(client, f"/problems/{problem.slug}"))
    assert problem.title in page
    assert f">{problem.status}<" in page


def test_unknown_problem_is_not_explained(client: Client) -> None:
    text(client, "/problems/nonsense/", 404)
    assert "Error types" in text(client, "/problems/")


def test_footer_names_the_network(client: Client, settings: Settings) -> None:
    assert "Sandbox network." in text(client, "/")
    settings.CHAIN = chains.chain("testnet", chains.sandbox().contract)
    page = text(client, "/")
    assert "Sandbox" not in page
    assert "Stellar testnet" in page


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("/services/service-0/", 8),
        ("/services/service-0/routes/r-0/", 4),
        ("/llms.txt", 4),
    ],
)
def test_queries_do_not_grow_with_the_catalogue(client: Client, address: str, queries: int) -> None:
    owner = shop.provider()

    def fill(count: int, routes: int) -> None:
        for number in range(count):
            service = shop.service(owner, f"service-{Service.objects.count()}")
            for each in range(routes):
                route = shop.route(service, f"r-{each}")
                shop.price(route, f"Pass {number}")

    fill(1, 4)
    for _ in range(2):  # Quotes are signed at the first visit.
        text(client, address)
    with CaptureQueriesContext(connection) as few:
        text(client, address)
    fill(5, 3)
    text(client, address)
    with CaptureQueriesContext(connection) as many:
        text(client, address)
    assert len(few) == len(many) == queries


def test_no_page_needs_a_script_or_an_inline_style(client: Client, market: None) -> None:
    for address in ("/", "/services/tides/", "/services/tides/routes/all/", "/problems/", "/nope"):
        page = client.get(address).content.decode()
        assert re.findall(r"<script(?![^>]* src=| type=.application/ld.json)", page) == []
        assert "style=" not in page
        assert re.findall(r'(?<!rel="canonical" )(?:href|src)="(?:https?:)?//', page) == []
        assert " onclick=" not in page


def test_retired_price_disappears_from_the_pages(client: Client) -> None:
    price = shop.stall()
    pricing.retire(price, shop.NOW)
    assert "No plans on sale" in text(client, "/")
    assert "No plans on sale" in text(client, "/services/weather/")


def test_error_page_needs_neither_request_nor_database() -> None:
    page = render_to_string("500.html")
    assert "Nothing was paid or changed" in page
    assert "Stellar" not in page


def test_guards_are_said_where_one_buys(client: Client) -> None:
    price = shop.stall()
    address = "/services/weather/routes/forecast/"
    assert "Guarded" not in text(client, address)
    type(price.route).objects.filter(pk=price.route_id).update(guard_concurrency=3)
    assert "Guarded: at most 3 at a time from all together." in text(client, address)
