"""The framing of answers. Deadlines and aborts are seen in tests/gateway/e2e."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.listening import NOTSENT_LOWAT_BYTES, HttpProtocol, listener, sockets

Application = Callable[[Any, Any, Any], Awaitable[None]]


async def answer_of(application: Application, request: bytes) -> bytes:
    config = uvicorn.Config(application, http=HttpProtocol, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    bound = listener("127.0.0.1", 0)
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(config=config, server_state=state, app_state={}), sock=bound
    )
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    writer.write(request)
    got = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    server.close()
    return got


def answering(status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


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
