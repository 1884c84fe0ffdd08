"""The state of each part, told from its rows."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from billing import conf, overseeing
from billing.models import EventCursor, Purchase
from billing.overseeing import Health
from gateway.models import GatewayNode
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail

NODE = "5f0c2b1e-6f0a-4c5c-9b1e-1f2a3b4c5d6e"


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def health(now_s: float) -> dict[str, Health]:
    return {line.part: line.health for line in overseeing.lines(now_s)}


def test_worker_that_looks_is_well_and_one_that_stopped_is_not(shop: Shop) -> None:
    part = "Workers and payment network"
    assert health(shop.now_s)[part] is Health.BAD
    EventCursor.objects.update_or_create(
        network=shop.rail.network,
        contract=shop.rail.contract,
        defaults={"looked_at_ms": int(shop.now_s * 1000), "followed_ledger": 7},
    )
    assert health(shop.now_s + 15)[part] is Health.GOOD
    assert health(shop.now_s + 17)[part] is Health.BAD


def test_work_that_nobody_does_is_told(shop: Shop) -> None:
    assert health(shop.now_s)["Purchases"] is Health.GOOD
    purchase = shop.instruct()
    Purchase.objects.filter(pk=purchase.pk).update(due_at_ms=int((shop.now_s - 61) * 1000))
    assert health(shop.now_s)["Purchases"] is Health.POOR


def test_gateway_without_a_heartbeat_is_told(shop: Shop) -> None:
    GatewayNode.objects.create(
        id=NODE, boot_id="b", host="one", journal="/j", started_at=0, heartbeat_at=shop.now_s
    )
    assert health(shop.now_s)["Gateway one"] is Health.GOOD
    assert health(shop.now_s + 60)["Gateway one"] is Health.POOR


def test_page_shows_every_part_with_what_to_do(shop: Shop) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:status")).content.decode()
    for line in overseeing.lines(shop.now_s):
        assert line.part in page
    assert "Start a worker and beat." in page
