"""A WebSocket over HTTP/2 (RFC 8441): its frames are the bodies of an extended CONNECT.

What is below it pushes back already, both ways: nothing of a client is read before the application
asks for it, and what the application sends waits for the client's window. Frames, fragments and
closes are the websockets library's; nothing is compressed. Whether a silent client is alive is
asked on the connection, once for all its streams.
"""

import asyncio
from collections import deque
from typing import Any

from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from gateway.asgi import HANDSHAKE_ANSWER, Message, Receive, Scope, Send
from gateway.domain.closing import ABNORMAL, NO_CODE
from gateway.domain.routes import MESSAGE_BYTES_MAX
from gateway.http2.stream import Application

FRAGMENTS_MAX = 10_000
"""Of one message. Empty ones count: they cost the sender little, and no byte of the longest."""
SCHEMES = {"http": "ws", "https": "wss"}
VERSION = b"13"


def over_http2(application: Application) -> Application:
    """For a CONNECT whose `:protocol` is websocket."""

    async def opened(scope: Scope, receive: Receive, send: Send) -> None:
        versions = [value for name, value in scope["headers"] if name == b"sec-websocket-version"]
        if versions not in ([], [VERSION]):
            headers = [(b"sec-websocket-version", VERSION)]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        socket = _Socket(scope, receive, send)
        await application(socket.scope, socket.receive, socket.send)
        await socket.end()

    return opened


class _Socket:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._frames = Protocol(Side.SERVER, max_size=MESSAGE_BYTES_MAX)
        self._heard: deque[Message] = deque([{"type": "websocket.connect"}])
        self._parts = bytearray()
        self._fragments = 0
        self._has_failed = False
        self._is_text = False
        self._is_accepted = False
        self._writing = asyncio.Lock()
        extensions = {
            **scope["extensions"],
            HANDSHAKE_ANSWER: {},
            "message_bytes_max": self._limit_messages,
        }
        self.scope: Scope = {
            **scope,
            "type": "websocket",
            "scheme": SCHEMES[scope["scheme"]],
            "subprotocols": _subprotocols(scope),
            "extensions": extensions,
        }

    def _limit_messages(self, size: int) -> None:
        self._frames.max_message_size = size

    # What the client sends.

    async def receive(self) -> Message:
        while not self._heard:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
            self._frames.receive_data(message["body"])
            if not message["more_body"]:
                self._frames.receive_eof()
            for event in self._frames.events_received():
                assert isinstance(event, Frame)
                self._take(event)
            await self._flush()
            if self._frames.parser_exc is not None or not message["more_body"]:
                self._heard.append(self._left())
        return self._heard.popleft()

    def _take(self, frame: Frame) -> None:
        if self._has_failed:
            return  # Parsed together with what failed it.
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_text, self._fragments = frame.opcode is Opcode.TEXT, 0
        elif frame.opcode is Opcode.CLOSE:
            self._heard.append(self._left())
            return
        elif frame.opcode is not Opcode.CONT:
            return  # The library answers pings.
        self._parts += frame.data
        self._fragments += 1
        if frame.fin:
            self._complete(bytes(self._parts))
        elif self._fragments >= FRAGMENTS_MAX:
            self._fail(CloseCode.POLICY_VIOLATION, "A message in too many fragments")

    def _complete(self, message: bytes) -> None:
        self._parts = bytearray()
        try:
            said: dict[str, Any] = (
                {"text": message.decode()} if self._is_text else {"bytes": message}
            )
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
            return
        self._heard.append({"type": "websocket.receive", **said})

    def _fail(self, code: CloseCode, reason: str = "") -> None:
        self._frames.fail(code, reason)
        self._has_failed = True
        self._heard.append(self._left())

    def _left(self) -> Message:
        close = self._frames.close_rcvd
        code, reason = (ABNORMAL, "") if close is None else (close.code, close.reason)
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    # What the application sends.

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            await self._accept(message)
        elif kind == "websocket.send":
            self._say(message)
        elif kind == "websocket.close" and self._is_accepted:
            self._close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
        elif kind == "websocket.close":
            await self._send({"type": "http.response.start", "status": 403, "headers": []})
            await self._send({"type": "http.response.body", "body": b""})
        elif kind.startswith(HANDSHAKE_ANSWER):
            await self._send({**message, "type": kind.removeprefix("websocket.")})
        await self._flush()

    async def _accept(self, message: Message) -> None:
        headers = list(message.get("headers", []))
        if message.get("subprotocol"):
            headers.append((b"sec-websocket-protocol", message["subprotocol"].encode()))
        self._is_accepted = True
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def _say(self, message: Message) -> None:
        try:
            if message.get("text") is not None:
                self._frames.send_text(message["text"].encode())
            else:
                self._frames.send_binary(message["bytes"])
        except ProtocolError as exc:
            raise ConnectionError("The WebSocket is closing.") from exc

    def _close(self, code: int, reason: str) -> None:
        if code == ABNORMAL:
            self.scope["extensions"]["abort"]()
        elif self._frames.state is State.OPEN:
            self._frames.send_close(None if code == NO_CODE else code, reason)

    async def _flush(self) -> None:
        async with self._writing:
            written = b"".join(self._frames.data_to_send())
            if written:
                body = {"body": written, "more_body": True}
                await self._send({"type": "http.response.body", **body})

    async def end(self) -> None:
        """The stream ends as one only where the WebSocket was closed as one."""
        if self._is_accepted and self._frames.close_sent is not None:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _subprotocols(scope: Scope) -> list[str]:
    offered = [value for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
    names = b",".join(offered).decode("latin-1").split(",")
    return [name.strip() for name in names if name.strip()]
