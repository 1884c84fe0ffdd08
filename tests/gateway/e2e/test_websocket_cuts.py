"""Every way in which a running WebSocket ends: what was delivered, charged, and told to both."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.domain.closing import Close
from gateway.domain.exchange import End
from gateway.domain.tokens import Charge, Grant
from tests.gateway.e2e.sockets import SocketUpstream, closed, opening, publish, sockets, take_all
from tests.gateway.e2e.world import World, eventually, token

__all__ = ["sockets"]  # The fixture.

Act = Callable[[World, SocketUpstream, ClientConnection, Grant], Awaitable[None]]


async def expire(world: World, up: SocketUpstream, client: ClientConnection, grant: Grant) -> None:
    await asyncio.wait_for(client.wait_closed(), 5)


async def revoke(world: World, up: SocketUpstream, client: ClientConnection, grant: Grant) -> None:
    world.revoke(grant)


async def client_closes(
    world: World, up: SocketUpstream, client: ClientConnection, grant: Grant
) -> None:
    await client.close(3001, "bye")


async def client_vanishes(
    world: World, up: SocketUpstream, client: ClientConnection, grant: Grant
) -> None:
    client.transport.abort()


async def upstream_closes(
    world: World, up: SocketUpstream, client: ClientConnection, grant: Grant
) -> None:
    await up.peers[0].close(3002, "enough")


async def upstream_vanishes(
    world: World, up: SocketUpstream, client: ClientConnection, grant: Grant
) -> None:
    up.peers[0].transport.abort()


async def gate_stops(
    world: World, up: SocketUpstream, client: ClientConnection, grant: Grant
) -> None:
    world.gate.watch.cut(End.CLOSING)


LIMITS: list[dict[str, object]] = [
    {"kind": "calls", "count": 10},
    {"kind": "credits", "credits": 10, "per_call": 2, "max_per_call": 4},
    {"kind": "data", "direction": "up", "bytes": 1000},
    {"kind": "data", "direction": "down", "bytes": 1000},
    {"kind": "messages", "direction": "both", "count": 100},
    {"kind": "data", "direction": "both", "bytes": 1000, "window_seconds": 3600},
]
SERVED = [1, 2, 5, 5, 2, 10]
SPOILED = [0, 0, 5, 5, 2, 10]
GONE = Close(1006)
ENDINGS: dict[str, tuple[Act, Close, Close, list[int]]] = {
    # what happens: what the client is told, what the upstream is told, what is charged
    "expired": (expire, Close(4002, "The grant has ended"), Close(4002), SERVED),
    "revoked": (revoke, Close(4001, "The token was revoked"), Close(4001), SERVED),
    "client closes": (client_closes, Close(3001, "bye"), Close(3001, "bye"), SERVED),
    "client vanishes": (client_vanishes, GONE, GONE, SERVED),
    "upstream closes": (upstream_closes, Close(3002, "enough"), Close(3002, "enough"), SERVED),
    "upstream vanishes": (
        upstream_vanishes,
        Close(1014, "The API's connection broke off"),
        GONE,
        SPOILED,
    ),
    "gate stops": (gate_stops, Close(1012, "This server is going away"), Close(1012), SPOILED),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_both_sides_are_told_and_every_limit_is_charged(
    world: World, sockets: SocketUpstream, ending: str
) -> None:
    act, client_told, upstream_told, charged = ENDINGS[ending]
    changes = {"expires_at": int(time.time()) + 2} if ending == "expired" else {}
    grant = world.grant(limits=LIMITS, **changes)
    async with opening(world, token(grant)) as client:
        await client.send("grüß"[:3] + "h")  # Five bytes.
        assert await client.recv() == "grüh"
        await act(world, sockets, client, grant)
        assert await closed(client) == client_told
        told = await sockets.closes()
        assert told == upstream_told._replace(reason=told.reason)
    await world.settled()
    holdings = world.leasing.allowance(grant).holdings
    assert [
        world.ledger.used_of(grant, index, holding.window or 0) - holding.held
        for index, holding in enumerate(holdings)
    ] == charged
    assert [holding.open for holding in holdings] == [0] * len(holdings)
    await eventually(lambda: sockets.open == 0)


@pytest.mark.parametrize("direction", ["up", "both"])
async def test_message_that_does_not_fit_is_neither_delivered_nor_charged(
    world: World, sockets: SocketUpstream, direction: str
) -> None:
    sockets.talk = sockets.listen
    grant = world.grant(limits=[{"kind": "data", "direction": direction, "bytes": 1000}])
    async with opening(world, token(grant)) as client:
        for size in (600, 399, 2):
            await client.send(b"x" * size)
        told = await closed(client)
    assert told.code == 4003
    assert told.reason.startswith("Not enough is left of 1 kB ")
    assert await sockets.closes() == told
    assert [len(message) for message in sockets.heard] == [600, 399]
    await world.settled()
    assert world.used(grant) == 999
    await eventually(lambda: [end.reason for end in world.ledger.ends] == ["exhausted"])
    async with opening(world, token(grant)) as client:
        await client.send(b"x")  # What is left still serves.
        await eventually(lambda: len(sockets.heard) == 3)
    await world.settled()
    assert world.used(grant) == 1000


@pytest.mark.parametrize("size", [1, 999, 70_000])
async def test_download_is_cut_before_the_message_that_does_not_fit(
    world: World, sockets: SocketUpstream, size: int
) -> None:
    async def talk(peer: ServerConnection) -> None:
        while True:
            await peer.send(b"y" * size)
            await asyncio.sleep(0)

    sockets.talk = talk
    limit = size * 7 + size // 2
    grant = world.grant(limits=[{"kind": "data", "direction": "down", "bytes": limit}])
    async with opening(world, token(grant)) as client:
        got = await take_all(client)
        assert (await closed(client)).code == 4003
    assert [len(message) for message in got] == [size] * (limit // size)
    assert (await sockets.closes()).code == 4003
    await world.settled()
    assert world.used(grant) == size * (limit // size)


async def test_limit_holds_to_the_message_over_32_conversations(
    world: World, sockets: SocketUpstream
) -> None:
    async def talk(peer: ServerConnection) -> None:
        while True:
            await peer.send(b"y" * 1000)
            await asyncio.sleep(0)

    sockets.talk = talk
    grant = world.grant(limits=[{"kind": "data", "direction": "down", "bytes": 500_500}])
    presented = token(grant)

    async def one() -> int:
        async with opening(world, presented) as client:
            return len(await take_all(client))

    counts = await asyncio.gather(*(one() for _ in range(32)))
    await world.settled()
    assert sum(counts) == 500
    assert world.used(grant) == 500_000


async def test_access_token_that_ends_closes_it(world: World, sockets: SocketUpstream) -> None:
    async with opening(world, token(world.grant(), expires_in=2)) as client:
        assert await closed(client) == Close(4002, "The access token has expired")


async def test_idle_conversation_is_closed(world: World, sockets: SocketUpstream) -> None:
    timeouts = {"connect_ms": 1000, "first_byte_ms": 1000, "idle_ms": 1200}
    publish(world, sockets, timeouts=timeouts)
    await asyncio.sleep(0)
    grant = world.grant()
    async with opening(world, token(grant)) as client:
        for _ in range(4):
            await asyncio.sleep(0.35)
            await client.send("still here")
            await client.recv()
        assert await closed(client) == Close(1001, "Neither side said anything for too long")
    await world.settled()
    assert world.used(grant) == 1


async def test_charge_always_charges_what_the_upstream_spoiled(
    world: World, sockets: SocketUpstream
) -> None:
    grant = world.grant(charge=Charge.ALWAYS)
    async with opening(world, token(grant)) as client:
        sockets.peers[0].transport.abort()
        await closed(client)
    await world.settled()
    assert world.used(grant) == 1


async def test_slow_reader_slows_the_upstream_down(world: World, sockets: SocketUpstream) -> None:
    sent = 0

    async def talk(peer: ServerConnection) -> None:
        nonlocal sent
        while True:
            await peer.send(b"y" * 100_000)
            sent += 100_000

    sockets.talk = talk
    grant = world.grant(limits=[{"kind": "data", "direction": "down", "bytes": 10**9}])
    async with opening(world, token(grant), max_queue=1) as client:
        await client.recv()
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 20_000_000  # The kernel's buffers of both hops.
        world.revoke(grant)
        await sockets.closes()
        client.transport.abort()
    await world.settled()


async def test_slow_upstream_slows_the_client_down(world: World, sockets: SocketUpstream) -> None:
    async def talk(peer: ServerConnection) -> None:
        await peer.recv()
        await peer.wait_closed()

    sockets.talk = talk
    sockets.options["max_queue"] = 1
    grant = world.grant()
    sent = 0

    async def flood(client: ClientConnection) -> None:
        nonlocal sent
        while True:
            await client.send(b"x" * 100_000)
            sent += 100_000

    async with opening(world, token(grant)) as client:
        flooding = asyncio.ensure_future(flood(client))
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 20_000_000
        world.revoke(grant)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(flooding, 15)
    await world.settled()


async def test_aborts_leave_nothing(world: World, sockets: SocketUpstream) -> None:
    limits = [
        {"kind": "calls", "count": 1000},
        {"kind": "data", "direction": "both", "bytes": 10**6},
    ]
    grant = world.grant(limits=limits)
    presented = token(grant)

    async def one(number: int) -> None:
        client: Any = await opening(world, presented)
        for _ in range(number % 3):
            await client.send("x" * 100)
        if number % 2:
            await client.recv() if number % 3 else None
        client.transport.abort()

    for first in range(0, 100, 20):
        await asyncio.gather(*(one(number) for number in range(first, first + 20)))
    await eventually(lambda: sockets.open == 0)
    await world.settled()
    allowance = world.leasing.allowance(grant)
    assert [holding.open for holding in allowance.holdings] == [0, 0]
    assert world.used(grant) == 100
    await eventually(lambda: not world.ledger.leased)
