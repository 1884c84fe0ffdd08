import html
import json
import re
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client

from marketplace import importing
from marketplace.importing import Source
from marketplace.models import Service
from marketplace.trying import page
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

pytestmark = pytest.mark.django_db
TRY = "/services/weather/try/"
FORECAST = "GET /v1/forecast/{city}"


@pytest.fixture(autouse=True)
def weather() -> Service:
    cache.clear()
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "forecast", path="/v1/forecast"))
    shop.price(shop.route(service, "batches", path="/v1/batches"))
    importing.keep(service, importing.read(json.dumps(WEATHER).encode()), Source.UPLOAD)
    return service


def shown(client: Client, address: str = TRY, **posted: str) -> str:
    response = client.post(address, posted) if posted else client.get(address)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    return html.unescape(response.content.decode())


def test_each_operation_has_its_form(client: Client) -> None:
    first = shown(client)
    assert re.findall(r'name="((?:path|query|header):[^"]+)"', first) == [
        "path:city",
        "query:days",
        "header:X-Units",
    ]
    assert "<option>metric</option>" in first
    batch = shown(client, f"{TRY}?operation={quote('POST /v1/batches')}")
    [body] = re.findall(r"<textarea[^>]*>([^<]*)</textarea>", batch)
    assert json.loads(body) == {"cities": ["string"]}
    assert 'data-gate="/gate/weather"' in batch


def test_an_operation_that_is_not_there_is_the_first(client: Client) -> None:
    assert "/v1/forecast/{city}" in shown(client, f"{TRY}?operation=GET+/nowhere")
    assert 'data-path="/v1/batches"' in shown(client, f"{TRY}?operation=batches")


def test_code_has_the_values_and_the_token_that_were_given(client: Client) -> None:
    values = {"operation": FORECAST, "path:city": "Le Mans", "query:days": "2"}
    page_ = shown(client, act="code", token="to~ken", **values)
    assert "/gate/weather/v1/forecast/Le%20Mans?days=2" in page_
    assert "-H 'apicharge: to~ken'" in page_
    fragment = shown(client, act="fragment", **values)
    assert "<html" not in fragment
    assert "$APICHARGE_TOKEN" in fragment


def test_what_is_missing_is_said_and_nothing_is_called(client: Client) -> None:
    response = client.post(TRY, {"operation": FORECAST, "path:city": ""})
    assert response.status_code == 400
    assert "city is needed." in response.content.decode()


def test_what_visitors_write_is_text(client: Client) -> None:
    evil = '"><script>alert(1)</script>'
    response = client.post(
        TRY, {"operation": evil, "act": "code", "token": evil, "path:city": evil, "body": evil}
    )
    assert b"<script>alert" not in response.content


def test_calls_that_we_make_are_few_a_minute(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "CALLS_PER_NETWORK_MINUTE", 2)
    # More than two minutes' worth: one may end in between.
    said = [client.post(TRY, {"operation": FORECAST}).status_code for _ in range(5)]
    assert said[:2] == [400, 400]
    assert 429 in said


def test_strangers_cannot_have_others_make_calls() -> None:
    assert Client(enforce_csrf_checks=True).post(TRY, {"operation": FORECAST}).status_code == 403


def test_a_service_without_a_document_is_tried_by_its_routes(client: Client) -> None:
    other = shop.service(shop.provider("Bruno"), "files")
    shop.price(shop.route(other, "all", path="/files", methods=["GET"]))
    page_ = shown(client, "/services/files/try/")
    assert 'data-path="/files/{path}"' in page_
    assert 'name="path:path"' in page_
    shop.service(shop.provider("Clara"), "empty")
    assert "Nothing to call yet" in shown(client, "/services/empty/try/")


def test_drafts_are_tried_by_nobody(client: Client, weather: Service) -> None:
    Service.objects.update(state=Service.State.DRAFT)
    assert client.get(TRY).status_code == 404
