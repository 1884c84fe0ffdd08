"""Upstreams over TLS: whom the gate trusts, what it shows, and what a refusal costs."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.building import is_usable
from gateway.domain.clusters import Tls
from gateway.domain.tokens import Charge
from tests.certificates import Authority, server_context
from tests.gateway.e2e.upstreams import Upstream
from tests.gateway.e2e.world import World, running, token

TRUSTED = Authority("trusted")
STRANGER = Authority("stranger")


class Secure(Upstream):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str | None] = []

    async def open(self, context: ssl.SSLContext) -> None:
        def named(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            self.names.append(name)

        context.sni_callback = named  # type: ignore[assignment]
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def secure(context: ssl.SSLContext) -> AsyncIterator[Secure]:
    upstream = Secure()
    await upstream.open(context)
    try:
        yield upstream
    finally:
        await upstream.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(World(tmp_path, networks=["127.0.0.1/32", "::1/128"])) as started:
        yield started


async def ask(world: World, client: httpx.AsyncClient, status: int) -> None:
    grant = world.grant(charge=Charge.ALWAYS)
    answer = await client.get(f"{world.url}/a", headers={"apicharge": token(grant)})
    assert answer.status_code == status
    await world.settled()
    assert world.used(grant) == (status == 200)


def publish(world: World, url: str, **tls: Any) -> None:
    world.publish(upstreams=[{"url": url}], tls=tls or None)


async def test_own_authority_is_trusted_and_name_and_host_are_kept(
    world: World, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with secure(server_context(TRUSTED.sign("localhost"), tmp_path)) as upstream:
        publish(world, f"https://localhost:{upstream.port}", ca=TRUSTED.pem)
        await ask(world, client, 200)
        assert set(upstream.names) == {"localhost"}
        assert upstream.requests[0].values("host") == [f"localhost:{upstream.port}"]


@pytest.mark.parametrize("ca", [None, STRANGER.pem])
async def test_authority_that_is_not_trusted_is_refused_and_costs_nothing(
    world: World, client: httpx.AsyncClient, tmp_path: Path, ca: str | None
) -> None:
    async with secure(server_context(TRUSTED.sign("localhost"), tmp_path)) as upstream:
        url = f"https://localhost:{upstream.port}"
        publish(world, url, **({"ca": ca} if ca else {}))
        await ask(world, client, 502)
        assert upstream.requests == []
        publish(world, url, ca=STRANGER.pem + TRUSTED.pem)
        await ask(world, client, 200)
        publish(world, url, ca=STRANGER.pem)
        await ask(world, client, 502)
        assert len(upstream.requests) == 1


async def test_certificate_for_another_name_is_refused(
    world: World, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with secure(server_context(TRUSTED.sign("other.example"), tmp_path)) as upstream:
        publish(world, f"https://localhost:{upstream.port}", ca=TRUSTED.pem)
        await ask(world, client, 502)
        assert upstream.requests == []


async def test_literal_address_is_checked_against_the_certificate(
    world: World, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with secure(server_context(TRUSTED.sign("127.0.0.1"), tmp_path)) as upstream:
        publish(world, f"https://127.0.0.1:{upstream.port}", ca=TRUSTED.pem)
        await ask(world, client, 200)


async def test_upstream_that_asks_for_a_certificate_gets_it(
    world: World, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    shown, foreign = TRUSTED.sign("gate.example"), STRANGER.sign("gate.example")
    context = server_context(TRUSTED.sign("localhost"), tmp_path, clients=TRUSTED)
    async with secure(context) as upstream:
        url = f"https://localhost:{upstream.port}"
        publish(world, url, ca=TRUSTED.pem, certificate=shown.certificate, key=shown.key)
        await ask(world, client, 200)
        publish(world, url, ca=TRUSTED.pem, certificate=foreign.certificate, key=foreign.key)
        presented = {"apicharge": token(world.grant())}
        assert (await client.get(f"{world.url}/a", headers=presented)).status_code == 502
        publish(world, url, ca=TRUSTED.pem)
        assert (await client.get(f"{world.url}/a", headers=presented)).status_code == 502
        assert len(upstream.requests) == 1


async def test_settings_that_cannot_be_used_are_a_refusal(
    world: World, client: httpx.AsyncClient
) -> None:
    shown, other = TRUSTED.sign("a.example"), TRUSTED.sign("b.example")
    publish(world, "https://127.0.0.1:1", certificate=shown.certificate, key=other.key)
    await ask(world, client, 502)


def test_usable_is_what_a_client_can_be_made_of() -> None:
    one, other = TRUSTED.sign("a.example"), TRUSTED.sign("b.example")
    assert is_usable(Tls(TRUSTED.pem.encode(), (one.certificate + one.key).encode()))
    assert not is_usable(Tls(identity=(one.certificate + other.key).encode()))
    assert not is_usable(Tls(identity=b"nothing"))
