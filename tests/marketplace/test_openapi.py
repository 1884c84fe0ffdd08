import json

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from gateway.domain.errors import PROBLEMS
from marketplace.models import Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def origin(settings: Settings) -> None:
    settings.ORIGIN = "https://market.example"


def document(client: Client, slug: str = "weather") -> dict:  # type: ignore[type-arg]
    response = client.get(f"/services/{slug}/openapi.json")
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == "*"
    found: dict = json.loads(response.content)  # type: ignore[type-arg]
    return found


def test_every_plan_on_sale_stands_at_its_route(client: Client) -> None:
    shop.stall()
    operation = document(client)["paths"]["/forecast"]["get"]
    assert operation["operationId"] == "forecast-get"
    assert operation["x-apicharge"] == {
        "route": "weather/forecast",
        "quotes": "https://market.example/apicharge/v1/quotes?route=weather/forecast",
        "plans": [
            {
                "name": "Hour pass",
                "version": 1,
                "amount": "2500000",
                "decimals": 7,
                "asset": "USDC",
                "access_seconds": 3600,
                "starts": "purchase",
                "charge": "success",
                "limits": [{"kind": "calls", "count": 1000, "window_seconds": None}],
            }
        ],
    }


def test_quotes_are_where_the_document_says(client: Client) -> None:
    shop.stall()
    address = document(client)["paths"]["/forecast"]["get"]["x-apicharge"]["quotes"]
    assert client.get(address).status_code == 200


def test_only_the_methods_that_are_sold_stand_there(client: Client) -> None:
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "narrow", methods=["POST"]))
    shop.price(shop.route(service, "wide"))
    paths = document(client)["paths"]
    assert list(paths["/narrow"]) == ["post"]
    assert list(paths["/wide"]) == ["get", "head", "post", "put", "patch", "delete"]


def test_two_routes_share_a_path_by_method(client: Client) -> None:
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "read", path="/v1", methods=["GET"]))
    shop.price(shop.route(service, "write", path="/v1", methods=["POST"]))
    path = document(client)["paths"]["/v1"]
    assert path["get"]["operationId"] == "read-get"
    assert path["post"]["operationId"] == "write-post"


def test_refusals_name_problems_that_exist(client: Client) -> None:
    shop.stall()
    responses = document(client)["paths"]["/forecast"]["get"]["responses"]
    assert set(responses) == {"default", "401", "402", "429"}
    slugs = {problem.slug for problem in PROBLEMS}
    for status in ("401", "402", "429"):
        example = responses[status]["content"]["application/problem+json"]["example"]
        assert example["type"].removeprefix("https://market.example/problems/") in slugs
        assert str(example["status"]) == status


def test_server_is_where_the_gate_answers(client: Client) -> None:
    shop.stall()
    assert document(client)["servers"] == [{"url": "https://market.example/gate/weather"}]
    Service.objects.update(host="api.weather.example")
    assert document(client)["servers"] == [{"url": "https://api.weather.example"}]


def test_draft_is_not_described(client: Client) -> None:
    shop.service(shop.provider(), state=Service.State.DRAFT)
    assert client.get("/services/weather/openapi.json").status_code == 404
