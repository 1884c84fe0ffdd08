"""A WebSocket over HTTP/2 is the same WebSocket to the gate and its upstream."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.frames import Close, Opcode

from gateway.http2.connection import Http2Protocol
from tests.gateway.e2e.sockets import SocketUpstream, sockets
from tests.gateway.e2e.world import World, eventually, running
from tests.http2 import Client, connected
from tests.websocket_streams import Socket, opened

__all__ = ["sockets"]  # The fixture.
PATH = "/gate/files/a"
MESSAGES = [{"kind": "messages", "direction": "up", "count": 2}]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(World(tmp_path), Http2Protocol) as started:
        yield started


@pytest.fixture
async def client(world: World, sockets: SocketUpstream) -> AsyncIterator[Client]:
    async with connected("127.0.0.1", world.port) as client:
        yield client


async def paid(world: World, client: Client, **terms: object) -> tuple[object, Socket]:
    grant = world.grant(**terms)
    return grant, await opened(client, PATH, headers=[("apicharge", world.token(grant))])


async def test_messages_and_closes_pass_both_ways(
    world: World, client: Client, sockets: SocketUpstream
) -> None:
    grant, socket = await paid(world, client)
    assert socket.heard.status == "200"
    assert "apicharge-expires" in socket.heard.head
    await socket.text("hello")
    assert (await socket.next()).data == b"hello"
    await socket.close(4321, "bye")
    closed = await sockets.closes()
    assert (closed.code, closed.reason) == (4321, "bye")
    await client.until(lambda: socket.heard.is_whole)
    await world.settled()
    assert world.used(grant) == 1


async def test_unpaid_handshake_is_refused_with_the_offer(world: World, client: Client) -> None:
    socket = await opened(client, PATH)
    await client.until(lambda: socket.heard.is_whole)
    assert socket.heard.status == "402"
    assert b"payment-required" in socket.heard.body


async def test_refusal_by_the_upstream_that_would_accept_is_a_502(
    world: World, sockets: SocketUpstream, client: Client
) -> None:
    sockets.refuse = lambda peer, _: peer.respond(HTTPStatus.OK, "\x81\x02hi")
    grant, socket = await paid(world, client)
    await client.until(lambda: socket.heard.is_whole)
    assert socket.heard.status == "502"
    assert b"upstream-invalid" in socket.heard.body
    await world.settled()
    assert world.used(grant) == 0


async def test_refusal_never_accepts_whatever_type_is_said(world: World, client: Client) -> None:
    socket = await opened(client, PATH, headers=[("content-type", "application/grpc")])
    await client.until(lambda: socket.heard.is_whole)
    assert socket.heard.status == "402"


async def test_conversation_is_cut_with_code_and_reason(
    world: World, client: Client, sockets: SocketUpstream
) -> None:
    grant, socket = await paid(world, client, limits=MESSAGES)
    for _ in range(2):
        await socket.text("x")
        assert (await socket.next()).data == b"x"
    await socket.text("one too many")
    frame = await socket.next()
    assert (frame.opcode, Close.parse(frame.data).code) == (Opcode.CLOSE, 4003)
    await world.settled()
    assert world.used(grant) == 2


async def test_revocation_is_told(world: World, client: Client, sockets: SocketUpstream) -> None:
    grant, socket = await paid(world, client)
    await socket.text("x")
    await socket.next()
    world.revoke(grant)
    assert Close.parse((await socket.next()).data).code == 4001


async def test_client_that_resets_leaves_nothing_behind(
    world: World, client: Client, sockets: SocketUpstream
) -> None:
    _, socket = await paid(world, client)
    await socket.text("x")
    await socket.next()
    client.h2.reset_stream(1)
    await client.flush()
    await world.settled()
    await eventually(lambda: sockets.open == 0)
