"""A body that the console would read whole is refused at its limit, not after it."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from apicharge_site.bounding import BODY_BYTES_MAX, bounded
from gateway.asgi import Headers, Message, Receive, Reply, Scope, Send, answer
from tests.apicharge_site.conftest import Site

LIMIT = 10
NOT_READ = 100


async def reading(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await answer(send, Reply(200, []))


async def status_of(chunks: list[bytes], headers: Headers) -> tuple[int, int]:
    """The answer's status, and how many chunks were taken for it."""
    sent: list[Message] = []
    left = [*chunks]

    async def receive() -> Message:
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    application = bounded(reading, "https://gw.example", limit=LIMIT)
    await application({"type": "http", "headers": headers}, receive, send)
    return sent[0]["status"], len(chunks) - len(left)


async def test_body_of_exactly_the_limit_is_read() -> None:
    assert await status_of([b"x" * 4, b"x" * 6], []) == (200, 2)


async def test_body_of_unsaid_length_is_refused_at_the_limit() -> None:
    assert await status_of([b"x" * 6] * NOT_READ, []) == (413, 2)


async def test_declared_length_is_refused_unread() -> None:
    assert await status_of([b"x"] * 11, [(b"content-length", b"11")]) == (413, 0)


def endless() -> Iterator[bytes]:
    for _ in range(64):
        yield b"x" * 65_536


@pytest.mark.parametrize("path", ["/apicharge/v1/purchases", "/admin/login/", "/nope"])
def test_server_does_not_take_a_body_without_end(site: Site, path: str) -> None:
    assert BODY_BYTES_MAX < 64 * 65_536
    connection = http.client.HTTPConnection(urlsplit(site.origin).netloc, timeout=30)
    connection.request("POST", path, endless(), encode_chunked=True)
    refused = connection.getresponse()
    assert refused.status == 413
    assert refused.headers["Content-Type"] == "application/problem+json"
    connection.close()
