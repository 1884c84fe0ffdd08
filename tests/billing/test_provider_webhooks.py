"""A provider's servers: added, tested, told of a sale, told again, removed; by nobody else."""

import time
from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from billing.models import WebhookDelivery, WebhookEndpoint
from billing.webhooks import selling
from marketplace.models import RouteQuote, Service
from tests.billing.shops import customs
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
SCREEN = "/admin/webhooks/"


@pytest.fixture
def price(settings: Settings) -> RouteQuote:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]
    return shop.stall("Alba")


@pytest.fixture
def as_alba(price: RouteQuote) -> Client:
    client = Client()
    client.force_login(price.route.service.provider.owner)
    return client


def endpoint(client: Client) -> WebhookEndpoint:
    client.post(SCREEN, {"url": "http://127.0.0.1:9/hook", "events": [selling.SOLD]})
    return WebhookEndpoint.objects.get()


def test_sale_is_told_and_can_be_told_again(price: RouteQuote, as_alba: Client) -> None:
    added = endpoint(as_alba)
    bought = customs.purchase(price, "ann", datetime.now(UTC))
    bought.quote = {"name": price.name}
    for _ in range(2):
        selling.sold(bought, now_s=time.time())
    told = WebhookDelivery.objects.get()
    assert (told.event, bought.pk in told.body) == (selling.SOLD, True)
    own = f"{SCREEN}{added.pk}/"
    assert told.pk in as_alba.get(own).content.decode()
    WebhookDelivery.objects.update(state="failed", due_at_ms=None)
    as_alba.post(own, {"act": "replay", "message": [told.pk]})
    assert WebhookDelivery.objects.get().state == "pending"
    as_alba.post(own, {"act": "test"})
    assert WebhookDelivery.objects.count() == 2
    as_alba.post(own, {"act": "secret"})
    former = added.secret
    added.refresh_from_db()
    assert added.former_secret == former
    assert as_alba.post(own, {"act": "nonsense"}).status_code == 404
    as_alba.post(own, {"act": "remove"})
    assert not WebhookEndpoint.objects.exists()


def test_address_that_may_not_be_called_is_refused(as_alba: Client) -> None:
    page = as_alba.post(SCREEN, {"url": "http://10.0.0.1/"}).content.decode()
    assert "not a public address" in page
    assert not WebhookEndpoint.objects.exists()


def test_others_reach_nothing_of_it(as_alba: Client, client: Client) -> None:
    own = f"{SCREEN}{endpoint(as_alba).pk}/"
    bruno = Client()
    bruno.force_login(shop.provider("Bruno").owner)
    assert bruno.get(own).status_code == 404
    assert bruno.post(own, {"act": "remove"}).status_code == 404
    assert "127.0.0.1" not in bruno.get(f"{SCREEN}?provider=alba").content.decode()
    assert client.get(own).status_code == 302
    assert WebhookEndpoint.objects.count() == 1


def test_pause_stops_sales_and_they_begin_again(price: RouteQuote, as_alba: Client) -> None:
    def state() -> str:
        return str(Service.objects.get().state)

    as_alba.post("/admin/start/", {"act": "pause"})
    assert state() == "withdrawn"
    again = as_alba.post("/admin/start/", {"act": "pause"}, follow=True).content.decode()
    assert "not on sale" in again
    as_alba.post("/admin/start/", {"act": "publish"})
    assert state() == "published"
