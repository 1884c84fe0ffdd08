"""Expiry, revocation and exhaustion end a running body; cut to the byte, with a reason."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway.domain.tokens import Starts
from tests.gateway.e2e.upstreams import Reader, Request, Writer, read_body
from tests.gateway.e2e.world import World, eventually, token
from tests.promptness import within

CHUNK = b"x" * 1000
PATIENCE_S = 60.0  # Of a busy machine.


def endless(
    kind: str = "application/octet-stream", piece: bytes = CHUNK
) -> Callable[..., Awaitable[None]]:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.02)

    return answering


async def take_all(world: World, presented: str, path: str = "/a") -> bytes:
    """Everything until the connection ends."""
    reader, writer = await world.connect()
    writer.write(
        f"GET /gate/files{path} HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n\r\n".encode()
    )
    got = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    return got


def body_of(got: bytes) -> tuple[bytes, bool]:
    """The chunked body, and whether it ended with the last chunk."""
    rest, body = got.partition(b"\r\n\r\n")[2], b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return body, True
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body, False


async def test_running_body_is_cut_when_the_grant_ends(world: World) -> None:
    world.upstream.answering = endless()
    grant = world.grant(expires_at=int(time.time()) + 2)
    got = await take_all(world, token(grant))
    assert time.time() >= grant.expires_at
    assert time.time() - grant.expires_at < within(0.5)
    body, whole = body_of(got)
    assert body
    assert not whole
    await world.settled()
    assert world.used(grant) == 1
    await eventually(lambda: [end.reason for end in world.ledger.ends] == ["expired"])


async def test_running_body_is_cut_when_the_access_token_ends(world: World) -> None:
    world.upstream.answering, began = endless(), time.monotonic()
    got = await take_all(world, token(world.grant(), expires_in=2))
    assert time.monotonic() - began < within(2.5)
    assert not body_of(got)[1]


async def test_access_from_first_use_ends_after_its_seconds(world: World) -> None:
    world.upstream.answering, began = endless(), time.monotonic()
    grant = world.grant(starts=Starts.FIRST_USE, access_seconds=1)
    got = await take_all(world, token(grant))
    assert time.monotonic() - began > 0.9
    assert time.monotonic() - began < within(1.5)
    assert not body_of(got)[1]


async def test_running_body_is_cut_when_the_grant_is_revoked(world: World) -> None:
    world.upstream.answering = endless()
    grant, other = world.grant(), world.grant()
    first = asyncio.ensure_future(take_all(world, token(grant)))
    second = asyncio.ensure_future(take_all(world, token(other)))
    await eventually(lambda: sum(e.is_answered for e in world.gate.watch._running) == 2)
    revoked_at = time.monotonic()
    world.revoke(grant)
    got = await first
    assert time.monotonic() - revoked_at < within(1)
    assert not body_of(got)[1]
    assert not second.done()
    world.revoke(other)
    await second


async def test_event_stream_ends_with_an_error_event(world: World) -> None:
    world.upstream.answering = endless("text/event-stream", b"data: tick\n\n")
    grant = world.grant(expires_at=int(time.time()) + 3)
    got = await take_all(world, token(grant))
    body, whole = body_of(got)
    last = body.split(b"\n\n")[-2]
    assert last.startswith(b'event: error\ndata: {"type": "https://gate.example/problems/grant-')
    assert not whole


async def test_error_event_does_not_join_half_an_event(world: World) -> None:
    world.upstream.answering = endless("text/event-stream", b"data: 1234567\n\n")
    limits = [{"kind": "data", "direction": "down", "bytes": 36}]
    got = await take_all(world, token(world.grant(limits=limits)))
    body, _ = body_of(got)
    events = body.split(b"\n\n")
    assert events[:3] == [b"data: 1234567", b"data: 1234567", b"data: "]
    assert events[3].startswith(b"event: error\n")


@pytest.mark.parametrize("direction", ["down", "both"])
async def test_download_is_cut_exactly_at_its_limit(world: World, direction: str) -> None:
    world.upstream.answering = endless(piece=b"y" * 50_000)
    for limit in (1, 999, 1000, 1001, 65_536, 70_001, 300_000):
        grant = world.grant(limits=[{"kind": "data", "direction": direction, "bytes": limit}])
        got = await take_all(world, token(grant))
        body, whole = body_of(got)
        assert (len(body), whole) == (limit, False)
        await world.settled()
        assert world.used(grant) == limit


async def test_body_of_exactly_the_limit_is_whole(world: World) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"z" * 100_000)

    world.upstream.answering = answering
    limits = [{"kind": "data", "direction": "down", "bytes": 100_000}]
    presented = token(world.grant(limits=limits))
    reader, writer = await world.connect()
    request = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n\r\n".encode()
    writer.write(request)
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(100_000) == b"z" * 100_000
    writer.write(request)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 402")
    writer.close()


async def test_data_limit_holds_to_the_byte_over_32_streams(world: World) -> None:
    limit = 2_000_003
    world.upstream.answering = endless(piece=b"y" * 40_000)
    grant = world.grant(limits=[{"kind": "data", "direction": "down", "bytes": limit}])
    presented = token(grant)
    all_got = await asyncio.gather(*(take_all(world, presented) for _ in range(32)))
    streams = [body_of(got) for got in all_got if got.startswith(b"HTTP/1.1 200")]
    assert sum(len(body) for body, _ in streams) == limit
    assert not any(whole for _, whole in streams)
    await world.settled()
    assert world.used(grant) == limit


async def upload(world: World, presented: str, size: int, *, sized: bool) -> bytes:
    reader, writer = await world.connect()
    framing = f"Content-Length: {size}" if sized else "Transfer-Encoding: chunked"
    head = f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n{framing}\r\n\r\n"
    writer.write(head.encode())
    try:
        for start in range(0, size, 10_000):
            piece = b"u" * min(10_000, size - start)
            writer.write(piece if sized else b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"" if sized else b"0\r\n\r\n")
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    finally:
        writer.close()


class Counting:
    """An upstream that counts the body bytes that reach it, and whether a body was whole."""

    def __init__(self) -> None:
        self.bytes = 0
        self.whole = 0

    async def __call__(self, request: Request, reader: Reader, writer: Writer) -> None:
        if length := request.values("content-length"):
            left = int(length[0])
            while left:
                piece = await reader.read(min(left, 65_536))
                if not piece:
                    return
                left -= len(piece)
                self.bytes += len(piece)
        else:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                left = size
                while left:
                    piece = await reader.read(left)
                    if not piece:
                        return
                    left -= len(piece)
                    self.bytes += len(piece)
                await reader.readexactly(2)
        self.whole += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("limit", [1, 9_999, 123_456])
async def test_upload_is_cut_exactly_at_its_limit(world: World, limit: int, sized: bool) -> None:
    counting = world.upstream.answering = Counting()
    grant = world.grant(limits=[{"kind": "data", "direction": "up", "bytes": limit}])
    head = await upload(world, token(grant), 300_000, sized=sized)
    assert head.startswith(b"HTTP/1.1 402")
    await asyncio.wait_for(world.upstream.closed[0].wait(), PATIENCE_S)
    assert counting.bytes == limit
    assert counting.whole == 0
    await world.settled()
    assert world.used(grant) == limit


async def test_upstream_that_reads_late_gets_all_that_was_charged(world: World) -> None:
    """More than the sockets hold: its end is with the HTTP client when the grant is used up."""
    counting, limit = Counting(), 5_000_000
    grant = world.grant(limits=[{"kind": "data", "direction": "up", "bytes": limit}])

    async def reads_late(request: Request, reader: Reader, writer: Writer) -> None:
        while world.used(grant) < limit:
            counting.bytes += len(await reader.read(8_192))
            await asyncio.sleep(0.01)
        await counting(request, reader, writer)

    world.upstream.answering = reads_late
    head = await upload(world, token(grant), limit + 1, sized=True)
    assert head.startswith(b"HTTP/1.1 402")
    await asyncio.wait_for(world.upstream.closed[0].wait(), PATIENCE_S)
    assert (counting.bytes, counting.whole) == (limit, 0)


async def test_upload_limit_holds_to_the_byte_over_32_streams(world: World) -> None:
    counting, limit = Counting(), 1_000_001
    world.upstream.answering = counting
    grant = world.grant(limits=[{"kind": "data", "direction": "up", "bytes": limit}])
    presented = token(grant)
    heads = await asyncio.gather(
        *(upload(world, presented, 100_000, sized=n % 2 == 0) for n in range(32))
    )
    await eventually(lambda: all(gone.is_set() for gone in world.upstream.closed))
    await world.settled()
    statuses = [head.split()[1] for head in heads]
    assert counting.bytes == limit
    assert statuses.count(b"200") == counting.whole
    assert statuses.count(b"402") == 32 - counting.whole
    assert world.used(grant) == limit


async def test_upload_whose_ledger_is_lost_is_broken_off_and_costs_what_had_passed(
    world: World,
) -> None:
    counting = world.upstream.answering = Counting()
    limits = [{"kind": "calls", "count": 10}, {"kind": "data", "direction": "up", "bytes": 10**7}]
    grant = world.grant(limits=limits)
    reader, writer = await world.connect()
    writer.write(
        b"POST /gate/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        + f"apicharge: {token(grant)}\r\n\r\n".encode()
    )
    writer.write(b"u" * 1000)
    await eventually(lambda: counting.bytes == 1000)
    world.ledger.is_down = True
    writer.write(b"u" * 500_000)  # More than is leased.
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    assert head.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1\r\n" in head.lower()
    await asyncio.wait_for(world.upstream.closed[0].wait(), PATIENCE_S)
    assert counting.whole == 0
    assert 1000 < counting.bytes < 501_000
    await world.settled()
    world.ledger.is_down = False
    assert (world.used(grant), world.used(grant, 1)) == (0, counting.bytes)


async def test_upload_is_cut_when_the_grant_ends(world: World) -> None:
    async def slow(request: Request, reader: Reader, writer: Writer) -> None:
        await read_body(request, reader)

    world.upstream.answering = slow
    grant = world.grant(expires_at=int(time.time()) + 2)
    reader, writer = await world.connect()
    writer.write(
        b"POST /gate/files/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        + f"apicharge: {token(grant)}\r\n\r\n5\r\nhello\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    assert head.startswith(b"HTTP/1.1 402")
    assert time.time() - grant.expires_at < within(1)
    await asyncio.wait_for(world.upstream.closed[0].wait(), PATIENCE_S)
    writer.close()


async def test_wall_clock_steps_change_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline of a running exchange is by the loop's own clock."""
    world.upstream.answering = endless()
    grant = world.grant()
    running = asyncio.ensure_future(take_all(world, token(grant)))
    await eventually(lambda: len(world.gate.watch) == 1)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * 24)
    await asyncio.sleep(0.5)
    assert not running.done()
    world.revoke(grant)
    await running
