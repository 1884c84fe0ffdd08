"""Guards and usage hold for a WebSocket as for any call; its silence is either side's."""

import asyncio

import pytest

from gateway import watching
from gateway.domain.guards import Pace
from gateway.guarding import Guarding
from tests.gateway.e2e.sockets import SocketUpstream, closed, opening, publish, refused, sockets
from tests.gateway.e2e.world import World, eventually, token

__all__ = ["sockets"]  # The fixture.


async def guard(world: World, sockets: SocketUpstream, **guards: int) -> None:
    publish(world, sockets, guards=guards)
    await asyncio.sleep(0)


async def test_socket_keeps_its_place_until_it_closes(
    world: World, sockets: SocketUpstream
) -> None:
    await guard(world, sockets, concurrency=1)
    presented = token(world.grant())
    async with opening(world, presented) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
        answer = await refused(world, presented)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert b"/problems/route-busy" in answer.body
    await eventually(lambda: world.gate.guarding.running == 0)
    async with opening(world, presented) as client:
        await client.send("again")
        assert await client.recv() == "again"


async def test_handshake_that_fails_gives_its_place_back(
    world: World, sockets: SocketUpstream
) -> None:
    await guard(world, sockets, client_concurrency=1)
    spent = token(world.grant(limits=[{"kind": "calls", "count": 1}]))
    async with opening(world, spent):
        pass
    await eventually(lambda: world.gate.guarding.running == 0)
    assert (await refused(world, spent)).status_code == 402
    assert world.gate.guarding.running == 0


async def test_strangers_are_answered_so_often_and_known_tokens_always(
    world: World, sockets: SocketUpstream
) -> None:
    guarding = Guarding(Pace(1, 60), asyncio.get_running_loop().time)
    world.gate.guarding = world.gate.identifying._guarding = guarding
    known = token(world.grant())
    async with opening(world, known) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
    statuses = [(await refused(world, "nonsense")).status_code for _ in range(3)]
    assert statuses == [401, 429, 429]
    async with opening(world, known) as client:
        await client.send("again")
        assert await client.recv() == "again"


async def test_socket_on_which_nothing_passes_is_closed(
    world: World, sockets: SocketUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    await guard(world, sockets, idle_ms=200)
    async with opening(world, token(world.grant())) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
        assert (await closed(client)).code >= 1000
    await world.settled()


async def test_messages_of_both_sides_are_counted(world: World, sockets: SocketUpstream) -> None:
    grant = world.grant()
    async with opening(world, token(grant)) as client:
        for message in ("hello", b"\x00" * 10):
            await client.send(message)
            await client.recv()
    await world.settled()
    [call] = world.gate.chronicle._open[grant.id, "files/all", 0].recent
    assert (call.method, call.path, call.status) == ("GET", "/a", 101)
    assert (call.messages, call.bytes_up, call.bytes_down) == (4, 15, 15)
