import json

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from gateway.domain.errors import PROBLEMS
from marketplace import importing
from marketplace.importing import Source
from marketplace.models import Service
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

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


def imported() -> Service:
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "forecast", path="/v1/forecast"))
    shop.price(shop.route(service, "batches", path="/v1/batches", methods=["POST"]), "Day pass")
    shop.price(shop.route(service, "maps", path="/maps", methods=["GET"]))
    importing.keep(service, importing.read(json.dumps(WEATHER).encode()), Source.UPLOAD)
    return service


def test_imported_operations_carry_the_prices_of_their_routes(client: Client) -> None:
    imported()
    read = document(client)
    operation = read["paths"]["/v1/forecast/{city}"]["get"]
    assert operation["operationId"] == "forecast"
    assert [each["name"] for each in operation["parameters"]] == ["city", "days", "X-Units"]
    assert operation["x-apicharge"]["route"] == "weather/forecast"
    assert operation["x-apicharge"]["plans"][0]["amount"] == "2500000"
    assert "- Hour pass: 0.25 USDC for 1 hour" in operation["description"]
    assert {"200", "401", "402", "429"} == set(operation["responses"])
    assert read["paths"]["/v1/batches"]["post"]["x-apicharge"]["plans"][0]["name"] == "Day pass"
    assert {"Batch", "ApiChargeProblem"} == set(read["components"]["schemas"])
    assert read["info"]["version"] == "2.1"


def test_operations_that_nothing_sells_are_not_promised(client: Client) -> None:
    imported()
    paths = document(client)["paths"]
    assert "/v1/batches/{id}/events" not in paths
    assert list(paths["/maps"]) == ["get"]


def test_where_the_provider_runs_its_api_stays_with_the_provider(client: Client) -> None:
    imported()
    for page in ("openapi.json", "", "reference/"):
        assert "weather.example" not in client.get(f"/services/weather/{page}").content.decode()
