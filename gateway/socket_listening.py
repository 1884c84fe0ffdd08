"""uvicorn's WebSocket protocol with what it leaves out.

- Bytes that are written and not taken for 30 s end the connection, as with HTTP.
- The application may set the longest message, and cut the connection.
- A pong that waits behind messages which we do not read yet is not taken for a dead client.
- A message in a million fragments costs the memory of one.
- A handshake that cannot be read is answered and its connection closed. A header line may be longer
  than a token.
- A connection that just ends is told as 1006, a close frame without a code as 1005; the latter can
  be sent, too.
"""

import asyncio
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets import http11
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from gateway.domain.closing import ABNORMAL, NO_CODE
from gateway.domain.routes import MESSAGE_BYTES_MAX
from gateway.listening import Watched

http11.MAX_LINE_LENGTH = 32 * 1024
"""Of what clients and upstreams send; tokens have up to 8,192 characters, cookies come together."""

OPTIONS: dict[str, Any] = {
    "ws_max_size": MESSAGE_BYTES_MAX,
    "ws_per_message_deflate": False,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 20.0,
}
"""For uvicorn.Config, beside `ws`."""


class _Frames(ServerProtocol):
    def send_close(self, code: int | None = None, reason: str = "") -> None:
        super().send_close(None if code == NO_CODE else code, reason)


class WebSocketProtocol(Watched, WebSocketsSansIOProtocol):
    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._server_state = server_state
        self.conn = _Frames(max_size=config.ws_max_size, logger=self.conn.logger)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.begin_watch(self._server_state, self.loop)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.handshake_complete:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": ABNORMAL})
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:  # The application's task has not run yet.
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions["abort"] = self.transport.abort
            extensions["message_bytes_max"] = self._limit_messages

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # Else an answer that is no WebSocket is an error.

    def _limit_messages(self, size: int) -> None:
        self.conn.max_message_size = size

    def handle_cont(self, event: Frame) -> None:
        frames: list[Any] = self.frames
        if not isinstance(frames[0], bytearray):
            frames[0] = bytearray(frames[0])
        frames[0] += event.data
        if event.fin:
            frames[0] = bytes(frames[0])
            self.send_receive_event_to_app()

    def keepalive_timeout(self) -> None:
        if self.read_paused and self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            super().keepalive_timeout()
