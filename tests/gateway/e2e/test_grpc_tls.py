"""gRPC upstreams over TLS: whom the gate trusts, and what it shows."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.http2.connection import Http2Protocol
from tests.certificates import Authority
from tests.gateway.e2e.test_grpc import Client, Echo, paid, problem_of, refused
from tests.gateway.e2e.world import World, running

TRUSTED = Authority("trusted")
STRANGER = Authority("stranger")


@contextlib.asynccontextmanager
async def secure(*, clients: Authority | None = None) -> AsyncIterator[int]:
    signed = TRUSTED.sign("localhost")
    credentials = grpc.ssl_server_credentials(
        [(signed.key.encode(), signed.certificate.encode())],
        root_certificates=clients.pem.encode() if clients else None,
        require_client_auth=clients is not None,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo().handlers(),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield port
    await server.stop(0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    networks = ["127.0.0.1/32", "::1/128"]
    async with running(World(tmp_path, networks=networks), Http2Protocol) as started:
        yield started


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    client = Client(world)
    yield client
    await client.channel.close()


def publish(world: World, port: int, **tls: Any) -> None:
    world.publish(upstreams=[{"url": f"grpcs://localhost:{port}"}], tls=tls or None)


async def test_own_authority_is_trusted(world: World, client: Client) -> None:
    async with secure() as port:
        publish(world, port, ca=TRUSTED.pem)
        _, token = paid(world)
        assert await client.unary(b"x", metadata=token, timeout=20) == b"echo x"


@pytest.mark.parametrize("ca", [None, STRANGER.pem])
async def test_authority_that_is_not_trusted_is_refused_and_costs_nothing(
    world: World, client: Client, ca: str | None
) -> None:
    async with secure() as port:
        publish(world, port, **({"ca": ca} if ca else {}))
        grant, token = paid(world)
        error = await refused(client.unary(b"x", metadata=token, timeout=20))
        assert problem_of(error) == "upstream-unreachable"
        await world.settled()
        assert world.used(grant) == 0


async def test_gate_shows_its_certificate(world: World, client: Client) -> None:
    shown = TRUSTED.sign("gate")
    async with secure(clients=TRUSTED) as port:
        publish(world, port, ca=TRUSTED.pem, certificate=shown.certificate, key=shown.key)
        _, token = paid(world)
        assert await client.unary(b"x", metadata=token, timeout=20) == b"echo x"
        publish(world, port, ca=TRUSTED.pem)
        _, token = paid(world)
        assert (await refused(client.unary(b"x", metadata=token, timeout=20))).code() is (
            grpc.StatusCode.UNAVAILABLE
        )
