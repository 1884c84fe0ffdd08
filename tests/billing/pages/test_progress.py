"""The socket of a purchase: whose it is, what it tells, and that it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer, channel_layers
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from pytest_django.fixtures import Settings
from redis.exceptions import RedisError

from billing import announcing
from billing.pages import addresses, progress
from billing.routing import LIVE_PAGES
from tests.billing.pages.conftest import Till
from tests.gateway.ledgers import test_redis

SECONDS = 20
OURS = (b"origin", settings.ORIGIN.encode())
HOST = (b"host", settings.ORIGIN.split("//")[1].encode())

pytestmark = pytest.mark.django_db(transaction=True)


@asynccontextmanager
async def socket(path: str, *headers: tuple[bytes, bytes]) -> AsyncIterator[Any]:
    opened = WebsocketCommunicator(URLRouter(LIVE_PAGES), path, headers=[HOST, *headers])
    opened.connected = (await opened.connect(timeout=SECONDS))[0]
    try:
        yield opened
    finally:
        await opened.send_input({"type": "websocket.disconnect", "code": 1000})
        ended, _ = await asyncio.wait({opened.future}, timeout=SECONDS)
        assert ended, "Its consumer goes on without it."
        opened.future.result()


async def closed(opened: Any) -> int:
    message = await opened.receive_output(timeout=SECONDS)
    assert message["type"] == "websocket.close"
    return int(message.get("code", 1000))


async def test_socket_tells_the_way_of_a_purchase_to_its_end(till: Till) -> None:
    purchase = await sync_to_async(till.begin)()
    async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
        assert opened.connected
        assert (await opened.receive_json_from(SECONDS))["status"] == "instructed"
        await sync_to_async(till.shop.authorize)(purchase)
        assert (await opened.receive_json_from(SECONDS))["status"] == "authorized"
        await sync_to_async(till.shop.turn)()
        told = await opened.receive_json_from(SECONDS)
        assert told["status"] == "submitted"
        assert told["transaction"]
        till.rail.close_ledger()
        await sync_to_async(till.shop.turn)()
        while told["status"] != "granted":
            told = await opened.receive_json_from(SECONDS)
        await sync_to_async(purchase.refresh_from_db)()
        assert told["ledger"] == purchase.paid_ledger
        assert "granted_access_token" not in told
        assert await closed(opened) == 1000


async def test_socket_of_what_is_settled_says_so_and_ends(till: Till) -> None:
    purchase = await sync_to_async(till.paid)()
    async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
        assert (await opened.receive_json_from(SECONDS))["status"] == "granted"
        assert await closed(opened) == 1000


@pytest.mark.parametrize(
    "origins",
    [[], [b"https://evil.example"], [b"null"], [settings.ORIGIN.encode(), b"https://evil.example"]],
)
async def test_socket_is_for_pages_of_the_site_alone(till: Till, origins: list[bytes]) -> None:
    purchase = await sync_to_async(till.begin)()
    headers = [(b"origin", origin) for origin in origins]
    async with socket(addresses.socket_path(purchase.pk), *headers) as opened:
        assert not opened.connected


async def test_socket_needs_the_secret(till: Till) -> None:
    purchase = await sync_to_async(till.begin)()
    async with socket(f"/live/purchases/{purchase.pk}/{'x' * 22}/", OURS) as opened:
        assert not opened.connected


async def test_who_speaks_to_it_is_cut(till: Till) -> None:
    purchase = await sync_to_async(till.begin)()
    async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
        await opened.receive_json_from(SECONDS)
        await opened.send_to(text_data="hello")
        await closed(opened)


async def test_followers_are_bounded_and_leave_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FOLLOWED_MAX", 1)
    purchase = await sync_to_async(till.begin)()
    path = addresses.socket_path(purchase.pk)
    async with socket(path, OURS) as first:
        await first.receive_json_from(SECONDS)
        async with socket(path, OURS) as second:
            assert await closed(second) == progress.TOO_MANY
    assert progress.follower().count == 0
    assert progress.follower().waiting == {}


async def test_following_ends_by_itself(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FOLLOWED_SECONDS_MAX", 0.2)
    purchase = await sync_to_async(till.begin)()
    async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
        await opened.receive_json_from(SECONDS)
        assert await closed(opened) == progress.TOO_LONG


def share_layer(settings: Settings, url: str) -> None:
    backend = "channels_redis.core.RedisChannelLayer"
    hosts = [{"address": url, "socket_timeout": None}]
    settings.REDIS_URL = url
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": hosts}}}


@pytest.mark.skipif(test_redis.SERVER is None, reason="redis-server is not installed")
async def test_with_a_shared_layer_a_move_is_announced_at_once(
    till: Till, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    purchase = await sync_to_async(till.begin)()
    monkeypatch.setattr(progress, "LOOK_SECONDS_ANNOUNCED", 3600.0)
    with test_redis.running(tmp_path) as server:
        share_layer(settings, server.url)
        async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
            assert (await opened.receive_json_from(SECONDS))["status"] == "instructed"
            await sync_to_async(till.shop.authorize)(purchase)
            assert (await opened.receive_json_from(SECONDS))["status"] == "authorized"
        await channel_layers[DEFAULT_CHANNEL_LAYER].close_pools()


class Layer(InMemoryChannelLayer):  # type: ignore[misc] # Channels has no types
    """Whose `group_add` never comes back, or fails."""

    problem: Exception | None = None

    async def group_add(self, group: str, channel: str) -> None:
        if self.problem is not None:
            raise self.problem
        await asyncio.Event().wait()


@pytest.fixture
def stalled(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Layer:
    share_layer(settings, "redis://127.0.0.1:1/0")
    monkeypatch.setattr(announcing, "SECONDS_MAX", 0.05)
    monkeypatch.setattr(announcing, "moved", lambda _: None)
    layer = Layer()
    monkeypatch.setitem(channel_layers.backends, DEFAULT_CHANNEL_LAYER, layer)
    return layer


@pytest.mark.parametrize("problem", [None, RedisError("gone"), ConnectionRefusedError()])
async def test_page_whose_layer_stalls_follows_its_row_alone(
    till: Till, stalled: Layer, problem: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS_ANNOUNCED", 0.05)
    stalled.problem = problem
    purchase = await sync_to_async(till.begin)()
    async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
        assert (await opened.receive_json_from(SECONDS))["status"] == "instructed"
        await sync_to_async(till.shop.authorize)(purchase)
        assert (await opened.receive_json_from(SECONDS))["status"] == "authorized"
    assert progress.follower().count == 0


async def test_socket_that_fails_otherwise_is_not_followed_on(till: Till, stalled: Layer) -> None:
    stalled.problem = ValueError("something else")
    purchase = await sync_to_async(till.begin)()
    with pytest.raises(ValueError, match="something else"):
        async with socket(addresses.socket_path(purchase.pk), OURS) as opened:
            await asyncio.wait({opened.future}, timeout=SECONDS)
    assert progress.follower().count == 0


def test_layer_that_does_not_answer_costs_no_purchase(
    till: Till, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    share_layer(settings, "redis://127.0.0.1:1/0")
    announcing.moved("ab" * 32)
    assert "does not answer" in caplog.text
