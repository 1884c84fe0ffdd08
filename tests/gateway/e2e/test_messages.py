"""Server-sent events count as messages: a stream is cut between two of them, exactly as sold."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from gateway.domain.exchange import End
from gateway.http2.connection import Http2Protocol
from tests.gateway.e2e.test_cuts import body_of
from tests.gateway.e2e.upstreams import Answering, Reader, Request, Writer, raw, whole
from tests.gateway.e2e.world import World, eventually, running, token
from tests.http2 import connected

CALLS = {"kind": "calls", "count": 1000}
EVENTS = "text/event-stream"


def messages(count: int, direction: str = "down", **more: object) -> dict[str, object]:
    return {"kind": "messages", "direction": direction, "count": count, **more}


def event(number: int) -> bytes:
    return b"id: %d\nevent: tick\ndata: {\ndata:  %d}\n\n" % (number, number)


def streaming(pieces: Sequence[bytes], *headers: str) -> Answering:
    """The pieces as chunks of their own, and a proper end."""

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        head = ["HTTP/1.1 200 OK", f"Content-Type: {EVENTS}", "Transfer-Encoding: chunked"]
        writer.write("\r\n".join([*head, *headers, "", ""]).encode())
        for piece in pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    return answering


async def take(world: World, presented: str) -> tuple[bytes, bool]:
    """The body, and whether it ended as one."""
    reader, writer = await world.connect()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    return body_of(await asyncio.wait_for(reader.read(), 20))


def cut_into(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@pytest.mark.parametrize("size", [1, 7, 50, 100_000])
@pytest.mark.parametrize("direction", ["down", "both"])
async def test_stream_is_cut_between_events_and_told_why(
    world: World, size: int, direction: str
) -> None:
    stream = b"".join(map(event, range(100)))
    world.upstream.answering = streaming(cut_into(stream, size)[: 4_000 // size + 1])
    grant = world.grant(limits=[CALLS, messages(40, direction)])
    body, is_whole = await take(world, token(grant))
    delivered, _, told = body.partition(b"event: error\ndata: ")
    assert delivered == b"".join(map(event, range(40)))
    assert json.loads(told)["type"].endswith("/problems/quota-exhausted")
    assert not is_whole
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (1, 40)
    await eventually(lambda: [end.reason for end in world.ledger.ends] == [End.EXHAUSTED])


def frames(count: int) -> bytes:
    return b"\0\0\0\0\1x" * count


async def test_answer_says_what_counts_and_not_the_request(tmp_path: Path) -> None:
    async with running(World(tmp_path), Http2Protocol) as world:
        world.upstream.answering = streaming([b"".join(map(event, range(100)))])
        grant = world.grant(limits=[messages(3)])
        headers = [("apicharge", token(grant)), ("content-type", "application/grpc")]
        async with connected("127.0.0.1", world.port) as caller:
            heard = await caller.get("/gate/files/a", headers=headers)
        assert heard.body == b"".join(map(event, range(3)))
        await world.settled()
        assert world.used(grant) == 3


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto"])
async def test_frames_of_an_upstream_that_says_grpc_count(world: World, kind: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    world.upstream.answering = raw(head.encode() + b"36\r\n" + frames(9) + b"\r\n0\r\n\r\n")
    grant = world.grant(limits=[messages(3)])
    body, is_whole = await take(world, token(grant))
    assert (body, is_whole) == (frames(3), False)
    await world.settled()
    assert world.used(grant) == 3


async def test_frames_that_are_encoded_are_not_passed_on(
    world: World, client: httpx.AsyncClient
) -> None:
    kinds = "Content-Type: application/grpc", "Content-Encoding: gzip"
    world.upstream.answering = whole(frames(9), "200 OK", *kinds)
    presented = token(world.grant(limits=[messages(3)]))
    answer = await client.get(world.url + "/a", headers={"apicharge": presented})
    assert answer.status_code == 502


async def test_only_events_count(world: World, client: httpx.AsyncClient) -> None:
    quiet = b": ping\n\nretry: 3000\n\n"
    world.upstream.answering = streaming([quiet, event(1), quiet * 9, event(2), b": end"])
    grant = world.grant(limits=[CALLS, messages(3)])
    body, is_whole = await take(world, token(grant))
    assert body == quiet + event(1) + quiet * 9 + event(2) + b": end"
    assert is_whole
    text = b"data: x\n\n" * 9
    world.upstream.answering = whole(text, "200 OK", "Content-Type: text/plain")
    answer = await client.get(world.url + "/a", headers={"apicharge": token(grant)})
    assert answer.content == text
    await world.settled()
    assert world.used(grant, 1) == 2


async def test_messages_of_the_client_are_none_of_a_streams_events(world: World) -> None:
    world.upstream.answering = streaming([event(1), event(2)])
    grant = world.grant(limits=[CALLS, messages(1, "up")])
    assert (await take(world, token(grant)))[1]
    await world.settled()
    assert world.used(grant, 1) == 0


async def test_limit_holds_over_streams_that_run_at_once(world: World) -> None:
    stream = [event(number) for number in range(100)]
    world.upstream.answering = streaming(stream)
    grant = world.grant(limits=[messages(500)])
    presented = token(grant)
    bodies = await asyncio.gather(*(take(world, presented) for _ in range(12)))
    await world.settled()
    assert sum(body.count(b"id: ") for body, _ in bodies) == 500
    assert world.used(grant) == 500


async def test_used_up_messages_refuse_the_next_call(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = streaming([event(1), event(2)])
    for more, status in (({}, 402), ({"window_seconds": 3600}, 429)):
        presented = token(world.grant(limits=[messages(2, **more)]))
        first = await client.get(world.url + "/a", headers={"apicharge": presented})
        assert first.content == event(1) + event(2)
        assert first.headers["ratelimit-policy"].startswith('"messages-down";q=2;qu="messages"')
        assert first.headers["ratelimit"].startswith('"messages-down";r=2;')
        again = await client.get(world.url + "/a", headers={"apicharge": presented})
        assert again.status_code == status
        assert "2 messages received" in again.json()["detail"]
        assert ("retry-after" in again.headers) is (status == 429)


async def test_events_that_cannot_be_read_are_refused_and_free(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = streaming([b"\x1f\x8b"], "Content-Encoding: gzip")
    grant = world.grant(limits=[CALLS, messages(2)])
    answer = await client.get(world.url + "/a", headers={"apicharge": token(grant)})
    assert answer.status_code == 502
    assert world.upstream.requests[0].values("accept-encoding") == []
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (0, 0)


async def test_an_event_that_a_byte_limit_cuts_counts(world: World) -> None:
    world.upstream.answering = streaming([event(1), event(2), event(3)])
    sold = len(event(1)) + 5
    limits = [messages(9), {"kind": "data", "direction": "down", "bytes": sold}]
    grant = world.grant(limits=limits)
    body, _ = await take(world, token(grant))
    assert body.startswith(event(1) + event(2)[:5] + b"\n\nevent: error\n")
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (2, sold)


async def test_upstream_that_breaks_off_costs_the_events_that_came(world: World) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in (event(1), event(2), b"id: 3\nda"):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        writer.transport.abort()

    world.upstream.answering = answering
    grant = world.grant(limits=[CALLS, messages(9)])
    body, is_whole = await take(world, token(grant))
    assert not is_whole
    await world.settled()
    assert world.used(grant) == 0
    assert world.used(grant, 1) == body.count(b"event: tick")


async def test_upstream_may_count_fewer_messages_but_not_more(
    world: World, client: httpx.AsyncClient
) -> None:
    for said, used in (("messages=1", 1), ("messages=99", 2), ("data=0", 2)):
        world.upstream.answering = streaming([event(1), event(2)], f"ApiCharge-Consume: {said}")
        grant = world.grant(limits=[messages(9)])
        await client.get(world.url + "/a", headers={"apicharge": token(grant)})
        await world.settled()
        assert world.used(grant) == used
