"""The sandbox over HTTP: JSON-RPC at `POST /`, friendbot at `GET /friendbot`, and its switches.

A plain ASGI callable. It answers on the one thread that also closes ledgers.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from billing.sandbox import clock, jsonrpc
from billing.sandbox.disturbing import Disturbed
from billing.sandbox.faults import Fault
from billing.sandbox.friendbot import PATIENCE_S, Friendbot, Refused
from billing.sandbox.methods import Methods
from billing.sandbox.node import Node
from billing.sandbox.past import Seen
from billing.sandbox.storage import Document
from billing.sandbox.switches import Switches

# The names of the ASGI specification; what a message holds is only known by its type.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 512 * 1024
SLOW_FACTOR = 5  # Of five closes one happens while they are slow.
GATEWAY_TIMEOUT: Document = {"status": 504, "detail": "upstream request timeout"}
# Browsers may call it from any page: it guards nothing.
CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
]


class BodyTooLargeError(Exception):
    pass


class Sandbox:
    def __init__(self, node: Node, *, url: str, close_ms: int | None) -> None:
        """`close_ms` None: ledgers close, and time passes, when somebody says so."""
        self.node = node
        self.close_ms = close_ms
        self.stepped_s = max(time.time(), node.latest.closed_at)
        stepped = close_ms is None
        self.friendbot = Friendbot(node, close_now=self._close_now if stepped else None)
        self.closes = 0
        now = self._stepped_time if stepped else time.time

        def make(seen: Seen) -> Methods:
            return Methods(node, friendbot_url=f"{url}/friendbot", clock=now, seen=seen)

        self.disturbed = Disturbed(node, node.faults, make)
        self.switches = Switches(node.faults, self.disturbed, self._step if stepped else None)
        self.methods = self.disturbed.table()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncio.TaskGroup() as tasks:
            closing = None
            if self.close_ms is not None:
                closing = tasks.create_task(clock.keep_closing(self._close, self.close_ms))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if closing is not None:
                closing.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    def _close(self, now_s: float) -> None:
        self.closes += 1
        if self.closes % SLOW_FACTOR and self.node.faults.strikes(Fault.SLOW_CLOSE):
            return
        self.node.close(now_s)
        self.disturbed.ledger_closed()
        self.friendbot.wake()

    def _stepped_time(self) -> float:
        return self.stepped_s

    def _close_now(self) -> None:
        self._close(self.stepped_s)

    def _step(self, count: int, seconds: int) -> Document:
        for _ in range(count):
            self.stepped_s += seconds
            self._close_now()
        latest = self.node.latest
        return {"ledger": latest.sequence, "closedAt": latest.closed_at, "now": int(self.stepped_s)}

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "POST", "/":
                await self._rpc(receive, send)
            case "GET", "/friendbot":
                query = parse_qs(scope["query_string"].decode("latin-1"))
                status, told = await self._fund(query)
                await _send_json(send, status, told)
            case method, path if self.switches.knows(path) and method != "OPTIONS":
                await _send_json(send, *self.switches.answer(method, path, await _read(receive)))
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
        if self.node.faults.strikes(Fault.TIMEOUT):
            await _send_json(send, 504, GATEWAY_TIMEOUT)
            return
        told = jsonrpc.answer(body, self.methods)
        if self.node.faults.strikes(Fault.ANSWER_LOST):
            await _send_json(send, 504, GATEWAY_TIMEOUT)
            return
        await _send_json(send, 200, told)

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
