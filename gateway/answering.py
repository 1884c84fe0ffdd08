"""uvicorn's way of writing an answer, with a head that is looked at once and goes with its body."""

from collections.abc import Sequence
from operator import itemgetter

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE, RequestResponseCycle

from gateway.asgi import Message

WITHOUT_BODY = frozenset({204, 304})
Header = tuple[bytes, bytes]


class ClientLeft(ConnectionError):
    """A piece of an answer was not given to the transport, whose client is gone."""


class Cycle(RequestResponseCycle):
    """uvicorn's own, but that it looks at the head of an answer once and not header by header.

    And it says when nobody is there any more, as ASGI allows: uvicorn takes what is sent then, as
    fast as it comes, and drops it. And it knows trailers, lines of a head (LINES), and starts whose
    body follows at once (`body_follows`): those are written together.
    """

    trailers_follow = False
    _held = b""
    """A head that waits for its body."""

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            if self.flow.write_paused and not self.disconnected:
                await self.flow.drain()  # Of the answer before, whose reader takes his time.
            if not self.disconnected:
                self._start(message)  # type: ignore[arg-type]
        elif not (self._held and self._is_whole(message)):
            await self._send_on(message)

    def _start(self, message: Message) -> None:
        headers = [*self.default_headers, *message.get("headers", [])]
        head = self._begin(message["status"], headers)
        head = b"%b%b\r\n" % (head, message.get("lines", b""))
        if message.get("body_follows"):
            self._held = head
        else:
            self.transport.write(head)
        if message.get("trailers"):
            self.trailers_follow = bool(self.chunked_encoding)

    def _is_whole(self, message: ASGISendEvent) -> bool:
        """Whether the answer ends with this message: then it is written with the head, in one."""
        body = message["body"] if message["type"] == "http.response.body" else b""
        is_all = body and len(body) == self.expected_content_length and not message.get("more_body")
        if not is_all or self.disconnected or self.scope["method"] == "HEAD":
            self.release()
            return False
        self.transport.write(self._held + body)
        self._held, self.response_complete = b"", True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def release(self) -> None:
        """Nothing follows at once after all."""
        held, self._held = self._held, b""
        if held and not self.transport.is_closing():
            self.transport.write(held)

    async def _send_on(self, message: ASGISendEvent) -> None:
        if message.get("more_body"):
            if self.transport.is_closing():
                raise ClientLeft
            await super().send(message)
            if self.disconnected:  # While it waited.
                raise ClientLeft
        elif message["type"] == "http.response.trailers":
            await self._end(list(message.get("headers", [])))
        elif self.trailers_follow and message["type"] == "http.response.body":
            await super().send({**message, "more_body": True})
        else:
            await super().send(message)

    async def _end(self, trailers: list[Header]) -> None:
        if not self.trailers_follow or self.disconnected:
            return  # The length was said, or nobody listens: there is no place for them.
        self.trailers_follow = False
        for name, _ in trailers:
            _check_name(name)
        lines = [b"0", *map(b": ".join, trailers), *_END]
        written = b"\r\n".join(lines)
        if len(written.translate(None, _CONTROLS)) != len(written) - 2 * (len(lines) - 1):
            raise RuntimeError("A trailer has a line break or another control character.")
        self.transport.write(written)
        # The rest is uvicorn's: the end of the answer, of which nothing is left to write.
        self.chunked_encoding, self.expected_content_length = False, 0
        await super().send({"type": "http.response.body", "body": b"", "more_body": False})

    def _begin(self, status: int, headers: Sequence[Header]) -> bytes:
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [STATUS_LINE[status][:-2], *map(b": ".join, headers)]
        if not _names_seen.issuperset(map(_name_of, headers)):
            for name, _ in headers:
                _check_name(name)
        if not _FRAMING.isdisjoint(map(_name_of, headers)):
            self._frame(headers)
        if not self.keep_alive:
            lines.append(b"connection: close")
        has_body = self.scope["method"] != "HEAD" and status not in WITHOUT_BODY
        if self.chunked_encoding is None and has_body:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked")
        lines.append(b"")
        head = b"\r\n".join(lines)
        if len(head.translate(None, _CONTROLS)) != len(head) - 2 * (len(lines) - 1):
            raise RuntimeError("A header has a line break or another control character.")
        return head

    def _frame(self, headers: Sequence[Header]) -> None:
        for name, value in headers:
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False


_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_CONTROLS = bytes(byte for byte in (*range(0x20), 0x7F) if byte != 0x09)
_END = (b"", b"")
_name_of = itemgetter(0)
_names_seen: set[bytes] = set()
NAMES_SEEN_MAX = 1000


def _check_name(name: bytes) -> None:
    if HEADER_RE.search(name) or not name:
        raise RuntimeError("A header's name is none.")
    if len(_names_seen) < NAMES_SEEN_MAX:
        _names_seen.add(name)
