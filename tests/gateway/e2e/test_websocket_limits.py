"""Every limit over a WebSocket: messages counted, bytes paced, a slot each, hours kept."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from gateway.domain.closing import Close
from tests.gateway.e2e.sockets import (
    SocketUpstream,
    closed,
    opening,
    publish,
    refused,
    sockets,
    take_all,
)
from tests.gateway.e2e.test_refilling import hours, open_calls
from tests.gateway.e2e.world import CALLS, World, eventually, token

__all__ = ["sockets"]  # The fixture.


def messages(count: int, direction: str, **more: object) -> dict[str, object]:
    return {"kind": "messages", "direction": direction, "count": count, **more}


@pytest.fixture
async def other() -> AsyncIterator[SocketUpstream]:
    upstream = SocketUpstream()
    await upstream.start()
    yield upstream
    await upstream.stop()


async def flood(peer: ServerConnection) -> None:
    while True:
        await peer.send("x")
        await asyncio.sleep(0)


@pytest.mark.parametrize("message", ["", "x", b"y" * 1000])
@pytest.mark.parametrize(("direction", "passed"), [("down", 40), ("up", 40), ("both", 20)])
async def test_messages_are_cut_exactly(
    world: World, sockets: SocketUpstream, direction: str, passed: int, message: str | bytes
) -> None:
    grant = world.grant(limits=[*CALLS, messages(40, direction)])
    async with opening(world, token(grant)) as client:
        for _ in range(passed):
            await client.send(message)
            assert await client.recv() == message
        await client.send("one more")
        told = await closed(client)
    assert told.code == 4003
    assert told.reason.startswith("Not enough is left of 40 messages ")
    assert await sockets.closes() == told
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (1, 40)
    await eventually(lambda: [end.reason for end in world.ledger.ends] == ["exhausted"])
    assert (await refused(world, token(grant))).status_code == 402


async def test_messages_that_renew_are_refused_until_then(
    world: World, sockets: SocketUpstream
) -> None:
    presented = token(world.grant(limits=[messages(1, "up", window_seconds=3600)]))
    async with opening(world, presented) as client:
        await client.send("only one")
        assert await client.recv() == "only one"
    answer = await refused(world, presented)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 3000


async def test_messages_hold_over_32_conversations(world: World, sockets: SocketUpstream) -> None:
    sockets.talk = flood
    grant = world.grant(limits=[messages(500, "down")])
    presented = token(grant)

    async def one() -> int:
        async with opening(world, presented) as client:
            return len(await take_all(client))

    assert sum(await asyncio.gather(*(one() for _ in range(32)))) == 500
    await world.settled()
    assert world.used(grant) == 500


async def test_message_refused_by_one_limit_costs_nothing_of_the_others(
    world: World, sockets: SocketUpstream
) -> None:
    limits = [messages(10, "up"), {"kind": "data", "direction": "up", "bytes": 100}]
    grant = world.grant(limits=limits)
    async with opening(world, token(grant)) as client:
        await client.send(b"x" * 60)
        await client.recv()
        await client.send(b"x" * 60)
        assert (await closed(client)).code == 4003
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (1, 60)


async def test_refusal_of_the_upstream_is_no_message(world: World) -> None:
    grant = world.grant(limits=[messages(10, "down")])
    answer = await refused(world, token(grant))
    assert (answer.status_code, bytes(answer.body)) == (200, b"hello")
    await world.settled()
    assert world.used(grant) == 0


@pytest.mark.parametrize("direction", ["up", "down", "both"])
async def test_bandwidth_paces_messages(
    world: World, sockets: SocketUpstream, direction: str
) -> None:
    speed, size = 200_000, 20_000
    bandwidth = {"kind": "bandwidth", "direction": direction, "bytes_per_second": speed}
    async with opening(world, token(world.grant(limits=[bandwidth]))) as client:
        began, echoed = time.monotonic(), 0
        while (seconds := time.monotonic() - began) < 1.5:
            await client.send(b"x" * size)
            echoed += len(await client.recv())
    paced = echoed * (2 if direction == "both" else 1)
    assert paced <= speed * seconds + speed / 2
    assert paced >= speed / 4  # Slow, not held up; test_bandwidth.py is exact.


async def test_message_that_waits_for_its_bandwidth_is_not_idle(
    world: World, sockets: SocketUpstream
) -> None:
    publish(world, sockets, timeouts={"connect_ms": 1000, "first_byte_ms": 1000, "idle_ms": 500})
    await asyncio.sleep(0)
    slow = {"kind": "bandwidth", "direction": "up", "bytes_per_second": 10_000}
    async with opening(world, token(world.grant(limits=[slow]))) as client:
        await client.send(b"x" * 15_000)
        assert len(await client.recv()) == 15_000


async def test_expiry_cuts_a_message_that_waits_for_its_bandwidth(
    world: World, sockets: SocketUpstream
) -> None:
    data = {"kind": "data", "direction": "up", "bytes": 10**6}
    slow = {"kind": "bandwidth", "direction": "up", "bytes_per_second": 1000}
    grant = world.grant(limits=[data, slow])
    async with opening(world, token(grant)) as client:
        await client.send(b"x" * 100_000)
        await eventually(lambda: sockets.peers)
        world.revoke(grant)
        assert (await closed(client)).code == 4001
    await world.settled()
    assert world.used(grant) == 0


async def test_a_conversation_is_one_call_at_a_time(world: World, sockets: SocketUpstream) -> None:
    limits = [
        {"kind": "concurrency", "count": 2},
        {"kind": "rate", "count": 4, "window_seconds": 60},
    ]
    grant = world.grant(limits=limits)
    presented = token(grant)
    async with opening(world, presented), opening(world, presented) as second:
        answer = await refused(world, presented)
        assert answer.status_code == 429
        assert b"too-many-at-once" in bytes(answer.body)
        assert open_calls(world, grant) == 2
        await second.close()
        await eventually(lambda: open_calls(world, grant) == 1)
        async with opening(world, presented):
            pass
        await eventually(lambda: open_calls(world, grant) == 1)
        async with opening(world, presented):
            pass
    await eventually(lambda: open_calls(world, grant) == 0)
    answer = await refused(world, presented)
    assert answer.status_code == 429
    assert b"rate-exceeded" in bytes(answer.body)


async def test_the_end_of_its_hours_closes_it(world: World, sockets: SocketUpstream) -> None:
    now = datetime.now(UTC)
    grant = world.grant(limits=[hours(now - timedelta(hours=1), now + timedelta(hours=1))])
    standing = world.leasing.allowance(grant).standing
    assert standing is not None
    [each] = standing.hours
    each.changes_at_s(time.time())
    each._changes_at_s = closes_at_s = time.time() + 1.0
    async with opening(world, token(grant)) as client:
        told = await closed(client)
        assert time.time() >= closes_at_s
    assert told == Close(4003, "The grant does not work at this hour")


async def test_what_answers_report_cannot_be_metered_here(
    world: World, sockets: SocketUpstream
) -> None:
    limit = {"kind": "credits", "credits": 100, "per_unit": {"of": "bytes", "credits": 1}}
    grant = world.grant(limits=[limit])
    answer = await refused(world, token(grant))
    assert answer.status_code == 403
    assert b"priced by what answers report" in bytes(answer.body)
    assert sockets.peers == []
    assert world.used(grant) == 0


async def test_handshake_goes_where_the_service_balances_it(
    world: World, sockets: SocketUpstream, other: SocketUpstream
) -> None:
    places: list[dict[str, Any]] = [
        {"url": f"ws://127.0.0.1:{each.port}", "weight": weight}
        for each, weight in ((sockets, 3), (other, 1))
    ]
    world.publish(upstreams=places, balancing="weighted")
    await asyncio.sleep(0)
    presented = token(world.grant())
    for _ in range(8):
        async with opening(world, presented) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
    assert (len(sockets.peers), len(other.peers)) == (6, 2)


async def test_handshake_is_made_elsewhere_when_nobody_answers(
    world: World, sockets: SocketUpstream
) -> None:
    dead = {"url": "ws://127.0.0.1:1"}
    world.publish(upstreams=[dead, {"url": f"ws://127.0.0.1:{sockets.port}"}, dead])
    await asyncio.sleep(0)
    grant = world.grant()
    for _ in range(3):
        async with opening(world, token(grant)) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
    await world.settled()
    assert world.used(grant) == 3


async def test_conversations_go_where_the_fewest_run(
    world: World, sockets: SocketUpstream, other: SocketUpstream
) -> None:
    places = [{"url": f"ws://127.0.0.1:{each.port}"} for each in (sockets, other)]
    world.publish(upstreams=places, balancing="least_requests")
    await asyncio.sleep(0)
    presented = token(world.grant())
    kept: Any = await opening(world, presented)
    busy, free = (sockets, other) if sockets.peers else (other, sockets)
    for _ in range(3):
        async with opening(world, presented) as client:
            await client.send("hello")
            await client.recv()
        await eventually(lambda: free.open == 0)
    assert (len(busy.peers), len(free.peers)) == (1, 3)
    await kept.close()
