"""From a profile to a published service, the way that a provider goes."""

import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from billing import conf
from billing.rails.stellar.founding import Step
from marketplace import starting
from marketplace.models import Provider, Route, RouteQuote, Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
API = {
    "openapi": "3.1.0",
    "info": {"title": "Weather", "version": "1.2"},
    "paths": {
        "/v1/forecast/{city}": {"get": {"summary": "Forecast", "responses": {}}},
        "/v1/history": {"get": {"summary": "History", "responses": {}}},
    },
}


@pytest.fixture
def alba() -> Provider:
    return shop.provider("Alba")


@pytest.fixture
def as_alba(alba: Provider) -> Client:
    client = Client()
    client.force_login(alba.owner)
    return client


def open_steps(provider: Provider, service: Service | None) -> list[str]:
    return [step.key for step in starting.steps(provider, service) if not step.done]


def test_way_from_nothing_to_a_published_service(alba: Provider, as_alba: Client) -> None:
    assert open_steps(alba, None)[1:4] == ["domain", "service", "upstream"]
    assert "Add a service first" in as_alba.get("/admin/start/").content.decode()
    service = shop.service(alba, "weather", state=Service.State.DRAFT)
    screen = f"/admin/marketplace/service/{service.pk}/document/"
    file = SimpleUploadedFile("api.json", json.dumps(API).encode())
    shown = as_alba.post(screen, {"file": file}, follow=True).content.decode()
    assert "Weather is imported" in shown
    assert "/v1/history" in shown
    made = as_alba.post(screen, {"slug": ["forecast", "history"], "routes": "1"}, follow=True)
    assert "weather/forecast" in made.content.decode()
    assert sorted(Route.objects.values_list("slug", "path")) == [
        ("forecast", "/v1/forecast"),
        ("history", "/v1/history"),
    ]
    route = Route.objects.get(slug="forecast")
    offers = {"act": "prices", "route": route.pk, "asset": "USDC"}
    as_alba.post("/admin/start/", offers | {"template": ["starter", "day"]})
    assert not RouteQuote.objects.filter(state="published").exists()
    early = as_alba.post("/admin/start/", {"act": "publish"}, follow=True)
    assert "Publish a price first" in early.content.decode()
    as_alba.post("/admin/start/", offers | {"template": ["pro"], "publish": "1"})
    as_alba.post("/admin/start/", {"act": "publish"})
    service.refresh_from_db()
    assert service.state == Service.State.PUBLISHED
    assert open_steps(alba, service) == ["profile", "domain"]
    assert "Buy it once yourself" in as_alba.get("/admin/start/").content.decode()
    assert Client().get("/services/weather/").status_code == 200
    assert b"/services/weather/" in Client().get("/?q=weather").content
    as_alba.post("/admin/start/", {"act": "pause"})
    assert b"/services/weather/" not in Client().get("/?q=weather").content


@pytest.mark.parametrize("text", ["", "not: [valid", json.dumps({"swagger": "2.0"})])
def test_document_that_cannot_be_read_is_said_so(
    alba: Provider, as_alba: Client, text: str
) -> None:
    service = shop.service(alba)
    screen = f"/admin/marketplace/service/{service.pk}/document/"
    assert 'role="alert"' in as_alba.post(screen, {"text": text}).content.decode()
    none = as_alba.post(screen, {"routes": "1"}, follow=True)
    assert "Choose a route" in none.content.decode()


def test_offer_that_is_there_is_left_alone(alba: Provider, as_alba: Client) -> None:
    route = shop.route(shop.service(alba))
    offers = {"act": "prices", "route": route.pk, "asset": "USDC", "template": ["starter"]}
    as_alba.post("/admin/start/", offers)
    again = as_alba.post("/admin/start/", offers, follow=True).content.decode()
    assert "does not have yet" in again
    assert RouteQuote.objects.count() == 1


class Founding:
    """A network on which nobody has a trustline."""

    def receivers(self, wanted: Iterator[tuple[str, str]]) -> list[Step]:
        return [Step(f"payee {address} can take {code}", advice="x") for address, code in wanted]


def test_missing_trustline_is_named(
    alba: Provider, as_alba: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "founding", Founding)
    said = as_alba.post("/admin/start/", {"act": "payout"}, follow=True).content.decode()
    assert "can take USDC" in said


def test_others_reach_none_of_it(alba: Provider, client: Client) -> None:
    service = shop.service(alba)
    route = shop.route(service)
    document = f"/admin/marketplace/service/{service.pk}/document/"
    screens = ["/admin/start/?service=weather", document]
    for screen in screens:
        assert client.get(screen).status_code == 302
    bruno = Client()
    bruno.force_login(shop.provider("Bruno").owner)
    for screen in screens:
        assert bruno.get(screen).status_code == 404
        assert bruno.post(screen, {"act": "publish"}).status_code == 404
    offers = {"act": "prices", "route": route.pk, "asset": "USDC", "template": ["starter"]}
    bruno.post("/admin/start/", offers)
    assert not RouteQuote.objects.exists()
    staff = Client()
    staff.force_login(User.objects.create_superuser("staff"))
    assert staff.get("/admin/start/?provider=alba").status_code == 200
