"""The ASGI interface's own types, as this gateway uses them."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

LINES = "apicharge.lines"
"""A server with this extension takes whole header lines, each with its end, as the `lines` of a
start: written as they are, so they name no framing and nothing that anybody else said."""


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def client_address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer of the gate's own."""

    status: int
    headers: Headers
    body: bytes = b""


async def answer(send: Send, reply: Reply) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


HANDSHAKE_ANSWER = "websocket.http.response"


async def answer_handshake(scope: Scope, send: Send, reply: Reply) -> None:
    """An HTTP answer instead of a WebSocket; servers that cannot say 403 and nothing else."""
    if HANDSHAKE_ANSWER not in scope.get("extensions", {}):
        return await send({"type": "websocket.close"})
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    start = {"type": f"{HANDSHAKE_ANSWER}.start", "status": reply.status, "headers": headers}
    try:
        await send(start)
        await send({"type": f"{HANDSHAKE_ANSWER}.body", "body": reply.body})
    except OSError:
        pass  # Nobody waits for it any more.
    return None
