"""The sandbox over HTTP: JSON-RPC at `POST /`, friendbot at `GET /friendbot`.

A plain ASGI callable. It answers on the one thread that also closes ledgers.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from billing.sandbox import clock, jsonrpc
from billing.sandbox.friendbot import PATIENCE_S, Friendbot, Refused
from billing.sandbox.methods import Methods
from billing.sandbox.node import Node
from billing.sandbox.storage import Document

# The names of the ASGI specification; what a message holds is only known by its type.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 512 * 1024
# Browsers may call it from any page: it guards nothing.
CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
]


class BodyTooLargeError(Exception):
    pass


class Sandbox:
    def __init__(self, node: Node, *, url: str, close_ms: int) -> None:
        self.node = node
        self.close_ms = close_ms
        self.friendbot = Friendbot(node)
        self.methods = Methods(node, friendbot_url=f"{url}/friendbot").table()
        self.tasks: asyncio.TaskGroup | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(clock.keep_closing(self._close, self.close_ms))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            closing.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    def _close(self, now_s: float) -> None:
        self.node.close(now_s)
        self.friendbot.wake()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "POST", "/":
                await self._rpc(receive, send)
            case "GET", "/friendbot":
                query = parse_qs(scope["query_string"].decode("latin-1"))
                status, told = await self._fund(query)
                await _send_json(send, status, told)
            case "OPTIONS", _:
                await _send(send, 204, b"", [])
            case _:
                told = {"status": 404, "detail": "POST / is the RPC; GET /friendbot?addr=G… funds"}
                await _send_json(send, 404, told)

    async def _rpc(self, receive: Receive, send: Send) -> None:
        try:
            body = await _read(receive)
        except BodyTooLargeError:
            problem: Document = {
                "code": jsonrpc.INVALID_REQUEST,
                "message": "the body is too large",
            }
            await _send_json(send, 413, {"jsonrpc": "2.0", "id": None, "error": problem})
            return
        await _send_json(send, 200, jsonrpc.answer(body, self.methods))

    async def _fund(self, query: dict[str, list[str]]) -> tuple[int, Document]:
        account = query.get("addr", [""])[-1]
        asset = query.get("asset", [None])[-1]
        try:
            async with asyncio.timeout(PATIENCE_S):
                outcome = await self.friendbot.fund(account, asset)
        except TimeoutError:
            outcome = Refused(504, "no ledger took the transaction in time")
        if isinstance(outcome, Refused):
            return outcome.status, {"status": outcome.status, "detail": outcome.detail}
        return 200, {"hash": outcome.hash.hex(), "successful": True}


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLargeError
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)


async def _send_json(send: Send, status: int, told: Document) -> None:
    body = json.dumps(told, separators=(",", ":")).encode()
    await _send(send, status, body, [(b"content-type", b"application/json")])


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [*CORS, *headers, length]}
    )
    await send({"type": "http.response.body", "body": body})
