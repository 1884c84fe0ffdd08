"""uvicorn's HTTP/1.1 protocol with what it leaves out: deadlines, bounds, a way to abort an answer.

uvicorn waits for ever for a client that sends its headers or body slowly, or does not read. Here a
connection is ended when

    the headers of a request are not complete 10 s after it began (or after connecting),
    a body that is waited for brings nothing for 30 s, or comes at less than 1 KiB/s on average,
    written bytes are not taken for 30 s.

A connection carries the moments, one timer for all connections of a server looks at them: a timer
per request would cost more than the requests' own share of this.

A head that is too long is answered by 431. What is said after the body (trailers) says nothing of
the request: its token, its host and its client were decided on before.
"""

import asyncio
import socket
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, Protocol, runtime_checkable
from weakref import WeakSet, ref

from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from gateway.answering import Cycle
from gateway.asgi import LINES

NOTSENT_LOWAT_BYTES = 64 * 1024
LOOK_SECONDS = 0.5
HEAD_BYTES_MAX = 64 * 1024
"""Of a request line, and of the names and values below it, as with HTTP/2."""
HEADER_LINES_MAX = 256
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/problem+json\r\ncontent-length: 82\r\nconnection: close\r\n\r\n"
    b'{"type": "about:blank", "title": "Request Header Fields Too Large", "status": 431}'
)


class Deadlines(NamedTuple):
    headers_seconds: float = 10.0
    body_seconds: float = 30.0
    body_bytes_per_second_min: int = 1024
    write_seconds: float = 30.0
    lingering_seconds: float = 10.0
    """For a body that nobody wants any more: its sender would miss the answer otherwise."""


class HeadTooLarge(ValueError):
    pass


class Watched:
    """A connection that is looked at while it is open."""

    transport: asyncio.Transport
    deadlines = Deadlines()

    def begin_watch(self, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        self._unwritten = (0, loop.time())
        watch(state, loop)

    def look(self, now: float) -> None:
        if self._is_not_read(now):
            self.transport.abort()

    def _is_not_read(self, now: float) -> bool:
        waiting_bytes, since = self._unwritten
        unwritten = self.transport.get_write_buffer_size()
        if unwritten == 0 or unwritten != waiting_bytes:
            self._unwritten = (unwritten, now)
            return False
        return now - since > self.deadlines.write_seconds


class HttpProtocol(Watched, HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        now = self.loop.time()
        self._headers_since: float | None = now
        self._body_since = self._body_heard_at = now
        self._body_bytes = 0
        self._answered_at: float | None = None
        self._unread_bytes = 0
        """Of what came since a message, a head's end or a piece of a body: the parser keeps it."""
        self._is_too_large = False
        self.begin_watch(self.server_state, self.loop)

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._is_too_large = True
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        is_answering = cycle and cycle.response_started and not cycle.response_complete
        if is_answering or self.pipeline:
            self.transport.close()  # It would be read as a part of that answer.
        elif self._is_too_large:
            self.transport.write(TOO_LARGE)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._headers_since = self.loop.time()
        self._unread_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headers_since is None:
            return  # A trailer.
        name = name.lower()  # In place of uvicorn's, not before it: once a header.
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._unread_bytes = 0
        head_bytes = len(self.url) + sum(map(len, chain.from_iterable(self.headers)))
        if head_bytes > HEAD_BYTES_MAX or len(self.headers) > HEADER_LINES_MAX:
            self._is_too_large = True
            raise HeadTooLarge  # The parser ends with it, and uvicorn answers.
        self._headers_since = self._answered_at = None
        self._body_since = self._body_heard_at = self.loop.time()
        self._body_bytes = 0
        super().on_headers_complete()
        if self.parser.should_upgrade() and self._should_upgrade():
            return  # To a WebSocket: it has no cycle.
        # The application's task has not run yet. uvicorn names its class deep inside a long method.
        cycle: Any = self.cycle
        cycle.__class__ = Cycle
        # Weak: the cycle has the scope, and what refers to itself is left to garbage collection.
        abort = partial(self._abort, ref(cycle))
        self.scope["extensions"] = {"abort": abort, LINES: {}}  # type: ignore[dict-item]
        for name, value in self.headers:
            if name == b"te" and b"trailers" in value.lower():
                self.scope["extensions"]["http.response.trailers"] = {}

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        self._body_heard_at = self.loop.time()
        self._body_bytes += len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def _abort(self, answering: ref[Cycle]) -> None:
        """End a running answer so that its reader sees that it is not whole.

        What was written is still delivered, because it was charged; the connection then closes
        without the last chunk. Who does not read is ended by the write deadline.
        """
        cycle = answering()
        if cycle is not None:
            cycle.release()
            cycle.disconnected = True
            self.transport.close()

    def look(self, now: float) -> None:
        if self._headers_are_late(now) or self._body_is_late(now) or self._is_not_read(now):
            self.transport.abort()

    def _headers_are_late(self, now: float) -> bool:
        since = self._headers_since
        return since is not None and now - since > self.deadlines.headers_seconds

    def _body_is_late(self, now: float) -> bool:
        limits = self.deadlines
        if self._headers_since is not None or not self.cycle.more_body or self.flow.read_paused:
            return False
        if self._answered_at is not None and now - self._answered_at > limits.lingering_seconds:
            return True
        if now - self._body_heard_at > limits.body_seconds:
            return True
        # A chunked body may be a live stream; one of known length has no reason to trickle.
        seconds = now - self._body_since
        return (
            seconds > limits.body_seconds
            and self._body_bytes < seconds * limits.body_bytes_per_second_min
            and any(name == b"content-length" for name, _ in self.headers)
        )


_looking: WeakSet[ServerState] = WeakSet()


@runtime_checkable
class Looked(Protocol):
    """A connection with deadlines."""

    def look(self, now: float) -> None: ...


def watch(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    """Look at a server's connections twice a second for as long as it has any."""
    if state not in _looking:
        _looking.add(state)
        loop.call_later(LOOK_SECONDS, _look, state, loop)


def _look(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    now = loop.time()
    for connection in list(state.connections):
        if isinstance(connection, Looked):
            connection.look(now)
    if state.connections:
        loop.call_later(LOOK_SECONDS, _look, state, loop)
    else:
        _looking.discard(state)


def listener(host: str, port: int, *, backlog: int = 2048) -> socket.socket:
    """A bound socket whose connections hold little that was written but not sent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        limit_unsent(bound)
        bound.bind((host, port))
        bound.listen(backlog)
    except BaseException:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def limit_unsent(bound: socket.socket) -> None:
    """For the connections that a listening socket will accept."""
    # Without it megabytes lie in the kernel, charged, and readable after the grant has ended.
    option: Any = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
    bound.setsockopt(socket.IPPROTO_TCP, option, NOTSENT_LOWAT_BYTES)


def sockets(host: str, port: int) -> list[socket.socket]:
    return [listener(host, port)]
