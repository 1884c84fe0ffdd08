import time

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace import quoting
from marketplace.domain import chains, quotes
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
QUOTES = "/apicharge/v1/quotes"


def test_anybody_gets_quotes_that_verify_and_live_ten_minutes(client: Client) -> None:
    shop.stall()
    response = client.get(QUOTES, {"route": "weather/forecast"})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    document = response.json()
    [quote] = [quotes.from_json(each) for each in document["quotes"]]
    quotes.verify(quote, [bytes.fromhex(document["signer"])], chains.sandbox())
    assert quote.expires_at >= time.time() + 600
    assert quoting.find(quote.digest) == quote


def test_without_a_route_all_that_is_on_sale_is_quoted(client: Client) -> None:
    shop.stall("Alba", "weather")
    shop.stall("Bruno", "files")
    found = client.get(QUOTES).json()["quotes"]
    assert [quote["route"] for quote in found] == ["files/forecast", "weather/forecast"]


@pytest.mark.parametrize("route", ["weather/none", "", "<script>", "a" * 5000, "\0"])
def test_unknown_route_is_a_problem_document(client: Client, route: str) -> None:
    shop.stall()
    response = client.get(QUOTES, {"route": route})
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "http://127.0.0.1:8000/problems/route-not-found"
    assert problem["status"] == 404
    assert len(problem["detail"]) < 300


def test_other_methods_are_refused(client: Client) -> None:
    assert client.post(QUOTES, {}).status_code == 405


def test_process_without_the_quote_key_says_so(client: Client, settings: Settings) -> None:
    shop.stall()
    settings.QUOTE_KEY_SEED = None
    response = client.get(QUOTES)
    assert (response.status_code, response.headers["Content-Type"]) == (
        503,
        "application/problem+json",
    )
