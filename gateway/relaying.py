"""An HTTP request and its answer, carried across as fast as both sides take them, and no faster.

Nothing is read from either side before the other side took what was read last. The client is told
of an end in band: an answer if none was begun, an SSE event, and always a body that does not end as
a complete one would.
"""

import asyncio
import json
from collections.abc import Callable, Sequence

from gateway.asgi import LINES, Message, Receive, Scope, Send
from gateway.domain.answers import CORS, AnswerHead, pass_on, trailing
from gateway.domain.errors import FOR_END, GateFault, problem_document
from gateway.domain.exchange import End
from gateway.domain.headers import Pair, RequestHead
from gateway.domain.limits import Direction
from gateway.exchanging import ANSWERED, SENT, Exchange
from gateway.metered import CHUNK_BYTES_MAX, granted
from gateway.reporting import Read, Sender
from gateway.terms import Terms
from gateway.uploading import LET_OUT_SECONDS, Upload
from gateway.upstream import Asked
from gateway.watching import Watch

STATUS_MIN, STATUS_MAX = 200, 599
FAREWELL_SECONDS = 0.5
"""For the last event of a stream whose reader may have stopped reading."""


class Relay(Exchange):
    _head: AnswerHead | None = None
    _upload: Upload | None = None
    _tail = b""
    _unsent = 0
    """Bytes taken for a piece that the server has not taken."""
    _trails = False
    """Trailers follow the body."""
    _follows = False
    """The body comes with its head."""
    _lines = b""
    """Of the answer's head, where the server takes them whole."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, request: RequestHead, terms: Terms
    ) -> None:
        super().__init__(receive, terms)
        self.scope = scope
        self.send = send
        self._cross_origin = request.origin
        if request.has_body:
            self._upload = Upload(self)

    async def carry(self, asked: Asked, sender: Sender, watch: Watch) -> None:
        upload, answer = self._upload, None
        if upload is not None:
            watch.listen(self)
        self.state = SENT
        self.waiting_since = self.began_at
        try:
            answer = await sender(asked, None if upload is None else upload.stream)
            self.waiting_since = None
            self.answered_at = watch.loop.time()
            self.state, self.status = ANSWERED, answer.status
            head = self._answer_head(answer)
            if head.adjust is not None:
                await self.terms.adjust(head.adjust)
            await self.send(self._start(answer.status, head))
            self._head = head
            self.is_answered = self.has_served = True
            await self._deliver(answer, head, watch.loop.time)
            # Here, not after the answer is closed: a client may leave once it has everything.
            self.end = self.end or End.COMPLETED
        finally:
            asked.leave()
            self._give_back_unsent()
            if upload is not None:
                await upload.stop()
            unread = answer if self._is_unread else None
            if upload is not None and upload.is_partial:
                watch.let_out(LET_OUT_SECONDS, None if unread is None else unread.close)
            elif unread is not None:
                await unread.close()

    def _start(self, status: int, head: AnswerHead) -> Message:
        return {
            "type": "http.response.start",
            "status": status,
            "headers": head.headers,
            "lines": self._lines,
            "body_follows": self._follows,
            "trailers": self._trails,
        }

    def _give_back_unsent(self) -> None:
        if self._unsent:
            self.terms.reservation.give_back_bytes(Direction.DOWN, self._unsent)

    @property
    def _is_unread(self) -> bool:
        return self.end is not End.COMPLETED or self.scope["method"] == "HEAD"

    def _answer_head(self, answer: Read) -> AnswerHead:
        if not STATUS_MIN <= answer.status <= STATUS_MAX:
            raise GateFault(End.UPSTREAM_INVALID, "The API's status is none that ends a call.")
        items, undecodable = answer.headers()
        extensions, terms = self.scope.get("extensions", {}), self.terms
        by_line = LINES in extensions
        head = pass_on(items, status=answer.status, own_host=terms.own_host, sandboxed=not by_line)
        self.undecodable = undecodable
        self.said = head.consume
        if answer.may_have_trailers and head.has_body and head.length != 0:
            self._trails = "http.response.trailers" in extensions
        if head.is_events:
            answer.has_events()
        elif head.length is not None and head.length <= CHUNK_BYTES_MAX:
            self._follows = answer.is_ahead
        if head.addresses:
            head.headers += terms.rewritten(head.addresses, self.scope)
        if by_line:
            self._lines = terms.lines()
        else:
            head.headers += terms.headers()
        if self._cross_origin:
            head.headers += CORS
        return head

    async def _deliver(self, answer: Read, head: AnswerHead, clock: Callable[[], float]) -> None:
        send, left = self.send, head.length
        if left == 0 or not head.has_body or self.scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            if self._trails:
                await send({"type": "http.response.trailers", "headers": []})
            return
        take, read = self.terms.reservation.take_bytes, answer.read
        chunk = None
        if answer.may_have_trailers:
            left = None  # They come after the last of the body.
        while left != 0:
            self.waiting_since = clock()
            last, chunk = chunk, await read()
            self.waiting_since = None
            if chunk is None:
                await self._conclude(answer.trailers(), is_empty=last is None)
                return
            size = len(chunk)
            if left is not None:
                left -= size
            some = take(Direction.DOWN, min(CHUNK_BYTES_MAX, size))
            if some == size and not head.is_events:
                body, more, self._unsent = bytes(chunk), left != 0, some
                await send({"type": "http.response.body", "body": body, "more_body": more})
                self._unsent = 0
                self.bytes_down += size
            else:
                await self._deliver_pieces(memoryview(chunk), some, is_last=left == 0)

    async def _conclude(self, items: Sequence[Pair], *, is_empty: bool) -> None:  # noqa: ARG002
        """The body is whole; what the upstream says after it is heeded before its end is."""
        said = trailing(items)
        if said.consume is not None:
            self.said = ",".join(filter(None, (self.said, said.consume)))
        if said.adjust is not None:
            await self.terms.adjust(said.adjust)
        await self.send({"type": "http.response.body", "body": b""})
        if self._trails:
            await self.send({"type": "http.response.trailers", "headers": said.headers})

    async def _deliver_pieces(self, chunk: memoryview, some: int, *, is_last: bool) -> None:
        """One read in as many messages as its size, or what is left of a quota, asks for."""
        sent = 0
        while sent < len(chunk):
            some = some or await granted(self.terms, Direction.DOWN, len(chunk) - sent)
            piece = bytes(chunk[sent : sent + some])
            sent, self._unsent, some = sent + some, some, 0
            more = not (is_last and sent == len(chunk))
            await self.send({"type": "http.response.body", "body": piece, "more_body": more})
            self._unsent = 0
            self.bytes_down += len(piece)
            self._tail = (self._tail + piece[-4:])[-4:]

    async def hear(self, message: Message) -> None:
        if self._upload is not None:
            await self._upload.put(message.get("body", b""), more=message.get("more_body", False))

    async def farewell(self, origin: str) -> None:
        """Tell the reader of a running answer why it ends here, and end it as no whole one ends."""
        assert self.end is not None
        problem, head = FOR_END.get(self.end), self._head
        if problem and head and head.is_events and head.length is None and not head.is_encoded:
            document = problem_document(problem, origin=origin, detail=problem.title)
            event = f"event: error\ndata: {json.dumps(document)}\n\n".encode()
            if self._tail and not self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
                event = b"\n\n" + event
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self.send(
                        {"type": "http.response.body", "body": event, "more_body": True}
                    )
            except OSError:  # Too late, or nobody there.
                pass
        self.abort()

    def abort(self) -> None:
        abort = self.scope.get("extensions", {}).get("abort")
        if abort is not None:
            abort()
