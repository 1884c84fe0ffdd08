import json

import pytest
from django.test import Client

from marketplace import importing
from marketplace.importing import Source
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

pytestmark = pytest.mark.django_db
TRIAL = "/services/weather/trial/"
BATCH = {"operation": "POST /v1/batches", "body": '{"cities": ["Lyon"]}'}


@pytest.fixture(autouse=True)
def weather() -> None:
    service = shop.service(shop.provider())
    shop.price(shop.route(service, "forecast", path="/v1/forecast"))
    batches = shop.route(service, "batches", path="/v1/batches")
    shop.price(batches, "Trial", amount=0, access_seconds=600)
    importing.keep(service, importing.read(json.dumps(WEATHER).encode()), Source.UPLOAD)


def test_a_script_gets_the_token_as_json(client: Client) -> None:
    answer = client.post(TRIAL, BATCH, headers={"accept": "application/json"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["words"] == "1,000 calls, for 10 minutes"
    assert "~" in answer.json()["token"]


def test_the_page_comes_back_with_the_token_and_what_was_written(client: Client) -> None:
    page = client.post(TRIAL, BATCH).content.decode()
    assert "A trial: 1,000 calls, for 10 minutes." in page
    assert 'type="password"' in page
    assert "Lyon" in page


def test_a_route_without_a_trial_says_so(client: Client) -> None:
    forecast = {"operation": "GET /v1/forecast/{city}"}
    assert "no trial" in client.post(TRIAL, forecast).content.decode()
    answer = client.post(TRIAL, forecast, headers={"accept": "application/json"})
    assert (answer.status_code, "no trial" in answer.json()["problem"]) == (404, True)


def test_trials_are_asked_for_by_our_own_page() -> None:
    assert Client().get(TRIAL).status_code == 405
    assert Client(enforce_csrf_checks=True).post(TRIAL, BATCH).status_code == 403
