"""Whoever fails, nobody takes a part for the whole, everything is freed, and the bill is right."""

import asyncio
import contextlib
import time
from pathlib import Path

import httpx
import pytest

from gateway.domain.tokens import Charge, Grant
from gateway.listening import Deadlines, HttpProtocol
from tests.gateway.e2e.upstreams import Reader, Request, Writer, raw, read_body, whole
from tests.gateway.e2e.world import World, eventually, running, token
from tests.promptness import within

LIMITS = [
    {"kind": "calls", "count": 100},
    {"kind": "data", "direction": "both", "bytes": 1_000_000},
    {"kind": "credits", "credits": 1000, "per_call": 5, "max_per_call": 10},
]


def used(world: World, grant: Grant) -> tuple[int, ...]:
    return tuple(world.used(grant, index) for index in range(3))


async def get(world: World, presented: str) -> bytes:
    reader, writer = await world.connect()
    head = (
        f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"apicharge: {presented}\r\n\r\n"
    )
    writer.write(head.encode())
    got = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return got


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 60,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3c\r\n" + b"x" * 60 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 60,
    ],
)
@pytest.mark.parametrize(("charge", "bill"), [(Charge.SUCCESS, 0), (Charge.ALWAYS, 1)])
async def test_truncated_answer_never_ends_cleanly(
    world: World, answer: bytes, charge: Charge, bill: int
) -> None:
    grant = world.grant(limits=LIMITS, charge=charge)
    world.upstream.answering = raw(answer)
    got = await get(world, token(grant))
    assert got.startswith(b"HTTP/1.1 200")
    assert not got.endswith(b"0\r\n\r\n")
    assert got.count(b"x" * 60) == 1
    await world.settled()
    assert used(world, grant) == (bill, 60, bill * 5)


async def test_stalled_answer_is_cut(world: World) -> None:
    grant = world.grant(limits=LIMITS)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"
    world.upstream.answering = raw(head, then=lambda: asyncio.sleep(60))
    world.publish(timeouts={"first_byte_ms": 5000, "idle_ms": 300})
    got = await get(world, token(grant))
    assert got.endswith(b"\r\n\r\nhello")
    await world.settled()
    assert used(world, grant) == (0, 5, 0)


@pytest.mark.parametrize(
    ("said", "bill"),
    [
        ("credits=7", (1, 5, 7)),
        ("credits=0, calls=0", (0, 5, 0)),
        ("credits=99", (1, 5, 10)),
        ("credits=1,calls=9", (1, 5, 1)),
        ("nonsense", (1, 5, 5)),
        ("", (1, 5, 5)),
    ],
)
async def test_upstream_settles_the_real_cost_unseen(
    world: World, client: httpx.AsyncClient, said: str, bill: tuple[int, ...]
) -> None:
    grant = world.grant(limits=LIMITS)
    world.upstream.answering = whole(b"hello", "200 OK", f"ApiCharge-Consume: {said}")
    answer = await client.get(f"{world.url}/a", headers={"apicharge": token(grant)})
    assert answer.status_code == 200
    assert "apicharge-consume" not in answer.headers
    await world.settled()
    assert used(world, grant) == bill


async def test_client_that_leaves_frees_everything(world: World) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await writer.drain()
        await reader.read()

    world.upstream.answering = answering
    grant = world.grant(limits=LIMITS)
    writers = []
    for _ in range(50):
        reader, writer = await world.connect()
        head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(grant)}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"hello")
        writers.append(writer)
    assert len(world.gate.watch) == 50
    left_at = time.monotonic()
    for writer in writers:
        writer.close()
    await eventually(lambda: len(world.gate.watch) == 0)
    await eventually(lambda: all(gone.is_set() for gone in world.upstream.closed))
    assert time.monotonic() - left_at < within(2)
    await world.settled()
    assert used(world, grant) == (50, 250, 250)


async def test_client_that_leaves_before_the_answer_is_settled_at_once(world: World) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(60)

    world.upstream.answering = answering
    grant = world.grant(limits=LIMITS)
    _, writer = await world.connect()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(grant)}\r\n\r\n"
    writer.write(head.encode())
    await eventually(lambda: len(world.upstream.requests) == 1)
    left_at = time.monotonic()
    writer.close()
    await eventually(lambda: len(world.gate.watch) == 0)
    assert time.monotonic() - left_at < within(1)
    await world.settled()
    assert used(world, grant) == (1, 0, 5)


async def test_aborted_upload_is_not_whole_to_the_upstream(world: World) -> None:
    ended: list[str] = []

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        try:
            await read_body(request, reader)
            ended.append("whole")
        except asyncio.IncompleteReadError:
            ended.append("broken off")

    world.upstream.answering = answering
    for framing in ("Content-Length: 1000", "Transfer-Encoding: chunked"):
        _, writer = await world.connect()
        head = f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
        writer.write(f"{head}{framing}\r\n\r\n5\r\nhello\r\n".encode())
        count = len(world.upstream.requests)
        await eventually(lambda count=count: len(world.upstream.requests) > count)
        writer.close()
    await eventually(lambda: ended == ["broken off", "broken off"])


async def test_undecodable_header_is_left_out_and_the_answer_passes(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = whole(b"x", "200 OK", "X-Odd: caf\xe9", "X-Plain: 1")
    headers = [
        (b"apicharge", token(world.grant()).encode()),
        (b"x-latin", b"caf\xe9"),
        (b"x-utf8", "café".encode()),
    ]
    answer = await client.get(f"{world.url}/a", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-plain"] == "1"
    assert "x-odd" not in answer.headers
    [request] = world.upstream.requests
    assert request.values("x-latin") == []
    assert request.values("x-utf8") == ["café".encode().decode("latin-1")]


class Impatient(HttpProtocol):
    deadlines = Deadlines(
        headers_seconds=0.5, body_seconds=0.7, write_seconds=0.7, lingering_seconds=0.5
    )


PATIENCE_S = 30.0
"""Of a machine that has other things to do; what is waited for takes about a second."""


async def gone(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), PATIENCE_S)


async def test_slow_clients_are_cut_and_others_are_not(tmp_path: Path) -> None:
    async with running(World(tmp_path), protocol=Impatient) as world:

        async def trickling(reader: Reader, writer: Writer, text: bytes) -> None:
            with contextlib.suppress(ConnectionError):
                for byte in text:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.1)

        head = f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n"
        idle = await world.connect()
        slow_head = await world.connect()
        slow_body = await world.connect()
        silent_body = await world.connect()
        async with asyncio.TaskGroup() as group:
            group.create_task(trickling(*slow_head, b"GET / HTTP/1.1\r\nX: " + b"y" * 100))
            slow_body[1].write(f"{head}Content-Length: 1000\r\n\r\n".encode())
            group.create_task(trickling(*slow_body, b"z" * 100))
            silent_body[1].write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            for reader, _ in (idle, slow_head, slow_body, silent_body):
                group.create_task(gone(reader))
        await world.settled()
        for _, writer in (idle, slow_head, slow_body, silent_body):
            writer.close()
        got = await get(world, token(world.grant()))
        assert got.startswith(b"HTTP/1.1 200")


async def test_client_that_does_not_read_is_cut(tmp_path: Path) -> None:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    async with running(World(tmp_path), protocol=Impatient) as world:
        world.upstream.answering = answering
        _, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(world.grant())}\r\n\r\n"
        writer.write(head.encode())
        await eventually(lambda: len(world.gate.watch) == 1)
        await world.settled()
        await asyncio.wait_for(world.upstream.closed[0].wait(), PATIENCE_S)
        writer.transport.abort()
