"""The framing of answers. Deadlines and aborts are seen in tests/gateway/e2e."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from apicharge_site.forwarded import behind, trusted
from gateway.asgi import LINES, Receive, Scope, Send
from gateway.listening import (
    HEAD_BYTES_MAX,
    HEADER_LINES_MAX,
    NOTSENT_LOWAT_BYTES,
    HttpProtocol,
    listener,
    sockets,
)

Application = Callable[[Any, Any, Any], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(application: Application) -> AsyncIterator[Streams]:
    config = uvicorn.Config(application, http=HttpProtocol, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    bound = listener("127.0.0.1", 0)
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(config=config, server_state=state, app_state={}), sock=bound
    )
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()


async def answer_of(application: Application, request: bytes) -> bytes:
    async with connected(application) as (reader, writer):
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)


async def body_of(receive: Receive) -> bytes:
    got = b""
    while (message := await receive())["type"] == "http.request":
        got += message["body"]
        if not message["more_body"]:
            break
    return got


def answering(status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((b"x", value) for value in (b"a\r\nset-cookie: b", b"a\nb", b"\0", b"a\x7f")),
        *((name, b"1") for name in (b"x: y", b"", b"x\r\ny", b"x y")),
    ],
)
async def test_header_that_would_split_the_answer_is_not_sent(name: bytes, value: bytes) -> None:
    got = await answer_of(answering(200, (name, value)), GET)
    assert b"set-cookie" not in got
    assert not got.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        (
            answering(200, (b"content-length", b"2"), (b"x-a", "é".encode()), body=b"hi"),
            b"content-length: 2\r\nx-a: \xc3\xa9\r\nconnection: close\r\n\r\nhi",
        ),
        (answering(200, body=b"hi"), b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        (answering(204), b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
        (answering(304), b"HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n"),
    ],
)
async def test_answer_is_framed_once(application: Application, expected: bytes) -> None:
    assert (await answer_of(application, GET)).endswith(expected)


async def test_head_request_gets_no_body() -> None:
    head = GET.replace(b"GET", b"HEAD")
    got = await answer_of(answering(200, (b"content-length", b"2"), body=b"hi"), head)
    assert got.endswith(b"content-length: 2\r\nconnection: close\r\n\r\n")


LONG = b"a" * HEAD_BYTES_MAX


def head_of(*lines: bytes, target: bytes = b"/") -> bytes:
    return b"\r\n".join([b"GET %s HTTP/1.1" % target, *lines, b"Connection: close", b"", b""])


@pytest.mark.parametrize(
    "request_head",
    [
        head_of(b"Host: x", b"x-long: " + LONG),
        head_of(b"Host: x", target=b"/" + LONG),
        head_of(*[b"x-%d: y" % number for number in range(HEADER_LINES_MAX)]),
        head_of(*[b"x: " + LONG[:1000]] * 70),
    ],
)
async def test_head_that_is_too_long_is_answered_and_not_served(request_head: bytes) -> None:
    got = await answer_of(answering(200, body=b"hi"), request_head)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in head
    assert b"content-length: %d\r\n" % len(body) in head
    assert json.loads(body)["status"] == 431


async def test_head_as_long_as_may_be_is_served() -> None:
    lines = [b"x-long: " + LONG[:60_000], *[b"x: y"] * (HEADER_LINES_MAX - 2)]
    got = await answer_of(answering(200, body=b"hi"), head_of(*lines))
    assert got.startswith(b"HTTP/1.1 200 ")


async def test_long_body_is_no_long_head() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        got = await body_of(receive)
        await answering(200, body=b"%d" % len(got))(scope, receive, send)

    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (4 * len(LONG))
    got = await answer_of(application, request + 4 * LONG + GET)
    assert got.count(b"HTTP/1.1 200 ") == 2
    assert b"\r\n%d\r\n" % (4 * len(LONG)) in got


@pytest.mark.parametrize("before", [b"GET / HTTP/1.1\r\nx-long: ", CHUNKED + b"0\r\nx-late: "])
async def test_endless_header_is_not_collected(before: bytes) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)

    async with connected(application) as (reader, writer):
        writer.write(before)
        for _ in range(40):
            try:
                await writer.drain()
            except ConnectionError:
                break
            writer.write(LONG)
        with contextlib.suppress(ConnectionError):
            assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 431 ")


async def test_trailers_are_no_headers() -> None:
    seen: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        seen.append(scope)
        await answering(200)(scope, receive, send)

    late = b"apicharge: t\r\nhost: other\r\nx-forwarded-for: 192.0.2.1\r\nexpect: 100-continue"
    request = CHUNKED + b"2\r\nhi\r\n0\r\n" + late + b"\r\n\r\n"
    trusting = behind(application, trusted(["127.0.0.0/8"]))
    got = await answer_of(trusting, request + GET)
    assert got.count(b"HTTP/1.1 ") == got.count(b"HTTP/1.1 200 ") == 2
    names = [[name for name, _ in scope["headers"]] for scope in seen]
    assert names == [[b"host", b"transfer-encoding"], [b"host", b"connection"]]
    assert [scope["client"][0] for scope in seen] == ["127.0.0.1", "127.0.0.1"]


async def test_fault_after_the_head_is_not_written_into_a_running_answer() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hi", "more_body": True})
        await body_of(receive)

    async with connected(application) as (reader, writer):
        writer.write(CHUNKED)
        got = await asyncio.wait_for(reader.readuntil(b"hi\r\n"), 5)
        writer.write(b"no length\r\n")
        got += await asyncio.wait_for(reader.read(), 5)
    assert got.endswith(b"\r\n\r\n2\r\nhi\r\n")


def test_listener_keeps_little_unsent() -> None:
    for bound in sockets("127.0.0.1", 0):
        kept = bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
        assert kept == NOTSENT_LOWAT_BYTES
        bound.close()


def test_taken_port_is_an_error_and_leaks_no_socket() -> None:
    [bound] = sockets("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        sockets("127.0.0.1", bound.getsockname()[1])
    bound.close()


async def test_lines_of_a_head_are_written_as_they_are_beside_its_headers() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert LINES in scope["extensions"]
        start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1")]}
        await send({**start, "lines": b"b: 2\r\nc: 3\r\n"})
        await send({"type": "http.response.body", "body": b"hi"})

    got = await answer_of(application, GET)
    assert got.startswith(b"HTTP/1.1 200 OK\r\na: 1\r\n")
    assert got.endswith(b"\r\nb: 2\r\nc: 3\r\n\r\n2\r\nhi\r\n0\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("pieces", [[b"hello"], [b"hel", b"lo"], [b"", b"hello"]])
async def test_head_that_waits_for_its_body_is_written_once(
    method: str, pieces: list[bytes]
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"5")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send({**start, "body_follows": True})
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    got = await answer_of(application, GET.replace(b"GET", method.encode()))
    assert got.count(b"HTTP/1.1 200 OK\r\n") == 1
    assert got.endswith(b"close\r\n\r\n" + (b"hello" if method == "GET" else b""))


async def test_head_whose_body_does_not_come_is_written_before_the_end() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"5")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send({**start, "body_follows": True})
        scope["extensions"]["abort"]()

    assert (await answer_of(application, GET)).endswith(
        b"content-length: 5\r\nconnection: close\r\n\r\n"
    )
