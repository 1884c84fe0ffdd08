"""Bodies stream both ways: memory stays small, and whoever does not read stops the other side."""

import asyncio
import gc
import hashlib
import os
import resource
from pathlib import Path

import pytest

from tests.gateway.e2e.upstreams import Answering, Reader, Request, Writer
from tests.gateway.e2e.world import World, eventually, small_buffers, token

MIB = 1024 * 1024
PIECE = os.urandom(MIB)
GROWTH_BYTES_MAX = 50 * 1000 * 1000


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Growth:
    """The most that the process grew by while something ran."""

    def __init__(self) -> None:
        gc.collect()
        self.before = self.most = resident_bytes()

    def look(self) -> None:
        self.most = max(self.most, resident_bytes())

    @property
    def bytes(self) -> int:
        return self.most - self.before


def sending(mebibytes: int) -> Answering:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (mebibytes * MIB))
        for _ in range(mebibytes):
            writer.write(PIECE)
            await writer.drain()

    return answering


async def down(world: World, mebibytes: int) -> int:
    world.upstream.answering = sending(mebibytes)
    reader, writer = await world.connect()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    growth, left = Growth(), mebibytes * MIB
    while left:
        piece = await reader.read(min(left, MIB))
        assert piece
        left -= len(piece)
        growth.look()
    writer.close()
    return growth.bytes


async def up(world: World, mebibytes: int) -> int:
    seen = hashlib.sha256()

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        left = mebibytes * MIB
        while left:
            piece = await reader.read(min(left, MIB))
            if not piece:
                return
            left -= len(piece)
            seen.update(piece)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    world.upstream.answering = answering
    reader, writer = await world.connect()
    head = f"PUT /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
    writer.write(f"{head}Content-Length: {mebibytes * MIB}\r\n\r\n".encode())
    growth, sent = Growth(), hashlib.sha256()
    for _ in range(mebibytes):
        writer.write(PIECE)
        sent.update(PIECE)
        await writer.drain()
        growth.look()
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
    assert seen.digest() == sent.digest()
    return growth.bytes


@pytest.mark.parametrize("mebibytes", [64, pytest.param(1024, marks=pytest.mark.soak)])
async def test_memory_does_not_grow_with_a_download(world: World, mebibytes: int) -> None:
    assert await down(world, mebibytes) < GROWTH_BYTES_MAX


@pytest.mark.parametrize("mebibytes", [64, pytest.param(1024, marks=pytest.mark.soak)])
async def test_memory_does_not_grow_with_an_upload(world: World, mebibytes: int) -> None:
    assert await up(world, mebibytes) < GROWTH_BYTES_MAX


async def test_upload_may_take_longer_than_the_wait_for_an_answer(world: World) -> None:
    world.publish(timeouts={"first_byte_ms": 300, "idle_ms": 300})
    reader, writer = await world.connect()
    head = f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
    writer.write(f"{head}Content-Length: 20\r\n\r\n".encode())
    for _ in range(20):
        writer.write(b"x")
        await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_reader_that_stops_reading_stops_the_upstream(world: World) -> None:
    written = 0

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
            written += 0x10000

    world.upstream.answering = answering
    client = small_buffers()
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", world.port))
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n\r\n"
    await loop.sock_sendall(client, head.encode())
    await eventually(lambda: written)
    before = -1
    while written != before:
        before = written
        await asyncio.sleep(0.3)
    # What the kernel's buffers on the upstream's connection hold is most of it.
    assert written < 16 * MIB
    client.close()
    await asyncio.wait_for(world.upstream.closed[0].wait(), 5)


async def test_upstream_that_stops_reading_stops_the_client(world: World) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(100)

    world.upstream.answering = answering
    world.publish(timeouts={"first_byte_ms": 60_000, "idle_ms": 60_000})
    _, writer = await world.connect()
    head = f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    sent = 0

    async def send_for_ever() -> None:
        nonlocal sent
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
            sent += 0x10000

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_for_ever(), 1)
    assert sent < 32 * MIB
    writer.close()


async def test_events_pass_one_by_one_and_the_head_before_the_first(world: World) -> None:
    go_on = asyncio.Event()

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            await go_on.wait()
            go_on.clear()
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    world.upstream.answering = answering
    reader, writer = await world.connect()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
    writer.write(f"{head}Accept: text/event-stream\r\n\r\n".encode())
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        for number in range(3):
            go_on.set()
            assert await reader.readuntil(b"\n\n\r\n") == b"9\r\ndata: %d\n\n\r\n" % number
        assert await reader.readuntil(b"0\r\n\r\n")
    writer.close()


async def test_early_answer_passes_while_the_upload_goes_on(world: World) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    world.upstream.answering = answering
    reader, writer = await world.connect()
    head = f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
    writer.write(f"{head}Content-Length: 1000000\r\n\r\n".encode() + b"x" * 1000)
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")
        assert await reader.readexactly(2) == b"no"
    await world.settled()
    writer.close()


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_body_keep_the_connection(world: World, status: str) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode())

    world.upstream.answering = answering
    reader, writer = await world.connect()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n\r\n"
    async with asyncio.timeout(5):
        for _ in range(2):
            writer.write(head.encode())
            got = await reader.readuntil(b"\r\n\r\n")
            assert got.startswith(f"HTTP/1.1 {status[:3]}".encode())
            assert b"transfer-encoding" not in got
    writer.close()


async def test_head_has_the_length_and_no_body(world: World) -> None:
    reader, writer = await world.connect()
    head = f"HEAD /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n\r\n"
    async with asyncio.timeout(5):
        for _ in range(2):
            writer.write(head.encode())
            got = await reader.readuntil(b"\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 200")
            assert b"content-length: 5" in got
    writer.close()
