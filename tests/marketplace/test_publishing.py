from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from gateway.models import Snapshot, VerifyingKey
from marketplace import pricing, publishing
from marketplace.models import Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def newest() -> Snapshot:
    return Snapshot.objects.latest("version")


def test_snapshot_holds_exactly_what_the_gate_is_promised() -> None:
    VerifyingKey.objects.create(kid="k1", public_key="ab" * 32)
    VerifyingKey.objects.create(
        kid="k0", public_key="cd" * 32, revoked_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    service = shop.service(
        shop.provider(),
        host="weather.example",
        secret="ef" * 32,
        allowed_origins=["https://app.example"],
    )
    shop.price(shop.route(service, methods=["GET", "HEAD"], first_byte_ms=500))
    assert newest().body == {
        "version": newest().version,
        "issuer": "http://127.0.0.1:8000",
        "keys": {"k1": "ab" * 32},
        "services": [
            {
                "slug": "weather",
                "name": "Weather",
                "hosts": ["weather.example"],
                "root_path": None,
                "secret": "ef" * 32,
                "upstreams": [{"url": "http://127.0.0.1:9000/base", "weight": 1}],
                "balancing": "round_robin",
                "health": None,
                "tls": None,
                "transform": None,
                "trailers": False,
                "timeouts": {"connect_ms": 5000, "first_byte_ms": 100_000, "idle_ms": 300_000},
                "allowed_origins": ["https://app.example"],
                "guards": {},
                "provider": service.provider_id,
                "routes": [
                    {
                        "id": "weather/forecast",
                        "name": "Forecast",
                        "path": "/forecast",
                        "methods": ["GET", "HEAD"],
                        "timeouts": {"first_byte_ms": 500},
                        "message_bytes_max": 2**20,
                        "guards": {},
                        "offers": [
                            {
                                "name": "Hour pass",
                                "price": {"amount": "2500000", "asset": "USDC"},
                                "access_seconds": 3600,
                                "limits": [
                                    {"kind": "calls", "count": 1000, "window_seconds": None}
                                ],
                                "words": ["1,000 calls"],
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_publishing_twice_writes_one_snapshot() -> None:
    shop.stall()
    with transaction.atomic():
        version = publishing.publish()
        assert publishing.publish() == version == newest().version
    assert Snapshot.objects.count() == 1


def test_draft_is_not_gated_and_withdrawn_is_gated_without_offers() -> None:
    price = shop.stall()
    assert publishing.compile_body()["services"][0]["routes"][0]["offers"] != []
    Service.objects.update(state=Service.State.WITHDRAWN)
    assert publishing.compile_body()["services"][0]["routes"][0]["offers"] == []
    Service.objects.update(state=Service.State.DRAFT)
    assert publishing.compile_body()["services"] == []
    assert price.state == "published"


def test_retired_price_leaves_the_snapshot_and_route_stays() -> None:
    price = shop.stall()
    assert pricing.retire(price, shop.NOW)
    [route] = newest().body["services"][0]["routes"]
    assert (route["id"], route["offers"]) == ("weather/forecast", [])
    assert not pricing.retire(price, shop.NOW)


def test_offers_are_cheapest_first() -> None:
    route = shop.route(shop.service(shop.provider()))
    shop.price(route, "Day", amount=20_000_000)
    shop.price(route, "Minute", amount=0)
    shop.price(route, "Hour", amount=5)
    [body] = newest().body["services"][0]["routes"]
    assert [offer["name"] for offer in body["offers"]] == ["Minute", "Hour", "Day"]


def test_compiling_asks_as_often_for_one_service_as_for_many() -> None:
    owner = shop.provider()
    shop.price(shop.route(shop.service(owner)))
    with CaptureQueriesContext(
        connection,
    ) as one:
        publishing.compile_body()
    for number in range(5):
        shop.price(shop.route(shop.service(owner, f"service-{number}")))
    with CaptureQueriesContext(connection) as many:
        publishing.compile_body()
    assert len(one) == len(many) == 5


def test_old_snapshots_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "KEPT", 2)
    shop.stall()
    for number in range(4):
        Service.objects.update(name=f"Name {number}")
        with transaction.atomic():
            publishing.publish()
    assert Snapshot.objects.count() == 2
    assert newest().body["services"][0]["name"] == "Name 3"


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_the_changes_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        publishing.publish()
