"""One request of an HTTP/2 connection, as ASGI sees it.

Both directions push back by themselves. What a client sends waits here, at most a window of it, and
the window opens again as the application takes it: nobody else's. Of what the application sends one
piece is held here until the frames for it are written, and `send` waits for the piece before:
hardly more is taken than the client's windows and its socket let through.

The head of an answer waits for the end of the loop's turn, so that an answer that is whole by then
is one write, and one that has no body is one frame, which is what gRPC calls Trailers-Only.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from h2.errors import ErrorCodes

from gateway.answering import ClientLeft
from gateway.asgi import Headers, Message, Receive, Scope, Send
from gateway.domain.requests import FRAMING
from gateway.listening import Deadlines

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
TAKEN_BYTES_MAX = 64 * 1024
PIECE_BYTES_MAX = 16 * 1024
"""Of what is put together of smaller ones."""
_CONTROLS = bytes(byte for byte in (*range(0x20), 0x7F) if byte != 0x09)

logger = logging.getLogger(__name__)


class Connection(Protocol):
    """What a stream asks of the connection that it belongs to."""

    def default_headers(self) -> Headers: ...
    def hold_head(self, stream: "Stream") -> None: ...
    def write_head(self, stream: "Stream", headers: Headers, *, end: bool) -> None: ...
    def write_body(self, stream: "Stream") -> None: ...
    def took(self, stream: "Stream", flowed: int) -> None: ...
    def reset(self, stream: "Stream", code: ErrorCodes) -> None: ...
    def ended(self) -> None: ...


class Stream:
    def __init__(
        self, connection: Connection, stream_id: int, scope: Scope, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connection = connection
        self._loop = loop
        self.id = stream_id
        self.scope = scope
        self.expects_continue = False
        self.length: int | None = None
        """Of the request's body, where the client says it."""
        self.is_live = False
        """A call whose client may say nothing for long, as in gRPC."""
        self._inbox: deque[tuple[bytes | bytearray, int]] = deque()
        self.heard_bytes = 0
        self._hearing: asyncio.Future[None] | None = None
        self._hears_since = 0.0
        self._heard_seconds = 0.0
        self._whole_taken = False
        self._head: Headers | None = None
        self._trailers_follow = False
        self._sending: asyncio.Future[None] | None = None
        self._waits_since: float | None = None
        self.outgoing = memoryview(b"")
        self.is_queued = False
        """Has its turn to write, or waits for the connection's window."""
        self.is_heard_out = False
        """The client has sent all that it will send."""
        self.is_started = False
        self.is_ended = False
        """The application has sent all of its answer."""
        self.is_closed = False
        """No frame of this stream will be sent or heeded any more."""

    async def run(self, application: Application) -> None:
        try:
            if not self.is_closed:
                await application(self.scope, self.receive, self.send)
        except ClientLeft:
            pass
        except Exception:
            logger.exception("The application failed in a request.")
            if not (self.is_started or self.is_closed):
                await self._fail()
        finally:
            # Of an answer that is whole the end may wait for the client.
            if not self.is_ended:
                self.abort()
            self._connection.ended()

    async def _fail(self) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def abort(self) -> None:
        """End a running answer so that its reader sees that it is not whole."""
        self.flush_head()
        if not self.is_closed:
            self._connection.reset(self, ErrorCodes.CANCEL)

    def close(self) -> None:
        """All of it was sent, or one side reset it, or the connection is gone."""
        self.is_closed = True
        self._head = None
        self._inbox.clear()
        self._let_go()
        self._wake_hearing()

    def is_late(self, now: float, limits: Deadlines) -> bool:
        if self._waits_since is not None and now - self._waits_since > limits.write_seconds:
            return True
        if self._hearing is None or self.is_heard_out or self.is_live:
            return False
        waited = now - self._hears_since
        if waited > limits.body_seconds:
            return True
        # A body of unknown length may be a live stream; one of known length need not trickle.
        waited += self._heard_seconds
        bytes_min = waited * limits.body_bytes_per_second_min
        return (
            self.length is not None
            and waited > limits.body_seconds
            and (self.heard_bytes < bytes_min)
        )

    # What the client sends.

    async def receive(self) -> Message:
        if self.expects_continue and not self.is_started and not self.is_closed:
            self.expects_continue = False
            self._connection.write_head(self, [(b":status", b"100")], end=False)
        while not (self._inbox or self.is_closed or self.is_ended):
            if self.is_heard_out and not self._whole_taken:
                break
            await self._hear()
        if self._inbox:
            return self._taken()
        if self.is_heard_out and not (self._whole_taken or self.is_closed):
            self._whole_taken = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def _hear(self) -> None:
        self._hearing = self._loop.create_future()
        self._hears_since = self._loop.time()
        try:
            await self._hearing
        finally:
            self._heard_seconds += self._loop.time() - self._hears_since
            self._hearing = None

    def _taken(self) -> Message:
        pieces: list[bytes | bytearray] = []
        size = flowed = 0
        while self._inbox and size + len(self._inbox[0][0]) <= TAKEN_BYTES_MAX:
            piece, flow = self._inbox.popleft()
            pieces.append(piece)
            size += len(piece)
            flowed += flow
        self._whole_taken = self.is_heard_out and not self._inbox
        if not self.is_heard_out:
            self._connection.took(self, flowed)
        body = b"".join(pieces)  # Of one that is bytes it is the same, not copied.
        return {"type": "http.request", "body": body, "more_body": not self._whole_taken}

    def heard(self, piece: bytes, flowed: int) -> None:
        self.heard_bytes += len(piece)
        if self._inbox and len(self._inbox[-1][0]) + len(piece) <= PIECE_BYTES_MAX:
            last, before = self._inbox.pop()
            whole = last if isinstance(last, bytearray) else bytearray(last)
            whole += piece
            self._inbox.append((whole, before + flowed))
        else:
            self._inbox.append((piece, flowed))
        self._wake_hearing()

    def heard_out(self) -> None:
        self.is_heard_out = True
        self._wake_hearing()

    def _wake_hearing(self) -> None:
        if self._hearing is not None and not self._hearing.done():
            self._hearing.set_result(None)

    # What the application sends.

    async def send(self, message: Message) -> None:
        if self.is_ended:
            return
        if self.is_closed:
            raise ClientLeft
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.trailers":
            await self._send_trailers(message.get("headers", []))

    def _start(self, message: Message) -> None:
        if self.is_started:
            raise RuntimeError("An answer is begun once.")
        status = (b":status", b"%d" % message["status"])
        headers = _sendable(message.get("headers", []))
        self._head = [status, *self._connection.default_headers(), *headers]
        self._trailers_follow = message.get("trailers", False)
        self.is_started = True
        self._connection.hold_head(self)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if not self.is_started:
            raise RuntimeError("An answer begins with its head.")
        # What is waited for is the piece before: this one is taken whole, or not at all.
        await self._written()
        if self.is_closed:
            raise ClientLeft
        ends = not (more or self._trailers_follow)
        if body and self.scope["method"] != "HEAD":
            self.flush_head()
            self.outgoing = memoryview(body)
            self.is_ended = ends
            self._connection.write_body(self)
            if self.outgoing:
                self._waits_since = self._loop.time()
        elif ends:
            self.is_ended = True
            if self._head is not None:
                self.flush_head(end=True)
            else:
                self._connection.write_body(self)

    async def _written(self) -> None:
        while self.outgoing:
            self._sending = self._loop.create_future()
            try:
                await self._sending
            finally:
                self._sending = None

    async def _send_trailers(self, trailers: Headers) -> None:
        trailers = _sendable(trailers)
        self.flush_head()
        await self._written()
        if self.is_closed:
            raise ClientLeft
        self.is_ended = True
        if trailers:
            self._connection.write_head(self, trailers, end=True)
        else:
            self._connection.write_body(self)

    def flush_head(self, *, end: bool = False) -> None:
        head, self._head = self._head, None
        if head is not None and not self.is_closed:
            self._connection.write_head(self, head, end=end)

    def wrote(self, size: int) -> None:
        """So much of what is outgoing is in frames."""
        self.outgoing = self.outgoing[size:]
        if not self.outgoing:
            self._let_go()
        elif self._waits_since is not None:
            self._waits_since = self._loop.time()

    def _let_go(self) -> None:
        self.outgoing = memoryview(b"")
        self._waits_since = None
        if self._sending is not None and not self._sending.done():
            self._sending.set_result(None)


def _sendable(headers: Headers) -> Headers:
    fields = [(name.lower(), value) for name, value in headers if name.lower() not in FRAMING]
    written = b"".join(map(b"".join, fields))
    if len(written.translate(None, _CONTROLS)) != len(written):
        raise RuntimeError("A header has a line break or another control character.")
    return fields
