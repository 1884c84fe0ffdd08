"""The byte pump of one exchange: counts, pushes back, and cuts.

Bytes are taken from the reservation before they are passed on, at most 64 KiB at a time, and what
the reservation does not grant is not passed on: the last chunk is shortened to the byte. Nothing is
read from either side before the other side took what was read last.

Whoever has a reason to end the exchange (the watch at a deadline, a revocation, the listener when
the client left, the pump itself) calls `cut`: the first reason counts, and wakes whatever the pump
waits for. The client is told in band: an answer if none was begun, an SSE event, and always a body
that does not end as a complete one would.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from gateway.asgi import Headers, Receive, Scope, Send
from gateway.domain.answers import CORS, AnswerHead, consumed, pass_on
from gateway.domain.errors import FOR_END, GateFault, problem_document
from gateway.domain.exchange import End, State, Step, advance, bill
from gateway.domain.limits import Direction
from gateway.domain.routes import Timeouts
from gateway.domain.tokens import AccessToken, Charge
from gateway.ledgers.port import LedgerUnavailable
from gateway.reporting import Read, Report
from gateway.reservations import Reservation
from gateway.saying import Saying
from gateway.spending import Allowance
from gateway.upstream import Body

CHUNK_BYTES_MAX = 64 * 1024
STATUS_MIN, STATUS_MAX = 200, 599
FAREWELL_SECONDS = 0.5
"""For the last event of a stream whose reader may have stopped reading."""

Call = Callable[[Body | None], Awaitable[Read]]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Terms:
    """What holds for one exchange from its admission to its end."""

    loop: asyncio.AbstractEventLoop
    now_s: float
    token: AccessToken
    allowance: Allowance
    reservation: Reservation
    timeouts: Timeouts
    own_host: bool
    has_body: bool
    cross_origin: bool
    origin: str
    saying: Saying
    report: Report | None


class Exchange:
    # Class attributes: most exchanges never change them, and setting each would cost every call.
    end: End | None = None
    detail = ""
    state = advance(State.RECEIVED, Step.ADMIT)
    listener: asyncio.Task[None] | None = None
    _cuts = 0
    _head: AnswerHead | None = None
    _status: int | None = None
    _tail = b""
    _inbox: asyncio.Queue[tuple[bytes, bool] | None] | None = None
    _upload_begun = False
    _waiting_since: float | None = None
    """Since when the upstream, and nobody else, keeps us waiting."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, terms: Terms) -> None:
        # Finding the running loop is a system call (getpid), so it is told.
        task = asyncio.current_task(terms.loop)
        assert task is not None
        self._task = task
        self._scope = scope
        self._receive = receive
        self._send = send
        self.terms = terms
        self.began_at = self._waiting_since = terms.loop.time()
        self.ends_at = self._deadline()
        if terms.has_body:
            self._inbox = asyncio.Queue(maxsize=1)

    def _deadline(self) -> tuple[float, End]:
        """By the loop's clock, which no step of the wall clock moves."""
        terms, end = self.terms, End.EXPIRED
        ends_at_s, client_ends_at_s = terms.allowance.ends_at_s, terms.token.client_expires_at
        if terms.allowance.standing is not None:
            closes_at_s = terms.allowance.standing.closes_at_s(terms.now_s)
            if closes_at_s < ends_at_s:
                ends_at_s, end = closes_at_s, End.OUTSIDE_SCHEDULE
        if client_ends_at_s is not None and client_ends_at_s < ends_at_s:
            ends_at_s, end = client_ends_at_s, End.TOKEN_EXPIRED
        return self.began_at + ends_at_s - terms.now_s, end

    @property
    def is_answered(self) -> bool:
        return self._head is not None

    def cut(self, end: End, detail: str = "") -> None:
        if self.end is None:
            self.end, self.detail = end, detail
            self._cancel()

    def _cancel(self) -> None:
        self._cuts += 1
        self._task.cancel()

    def look(self, now: float) -> None:
        """What the passing of time asks for; the watch calls it several times a second."""
        ends_at, end = self.ends_at
        if self._cuts:
            self._cancel()  # Again: the last one met an answer of the upstream's, and was lost.
        elif now >= ends_at:
            self.cut(end)
        elif self._waiting_since is not None:
            waited_ms = (now - self._waiting_since) * 1000
            if self.state is State.ANSWERED and waited_ms >= self.terms.timeouts.idle_ms:
                self.cut(End.UPSTREAM_STALLED)
            elif self.state is State.SENT and waited_ms >= self.terms.timeouts.first_byte_ms:
                self.cut(End.UPSTREAM_SILENT)

    async def run(self, conversation: Awaitable[None]) -> None:
        """Until `end` is set. Only a cancellation from outside is raised."""
        try:
            await conversation
        except asyncio.CancelledError:
            self.end = self.end or End.CLOSING
            if not self._cuts or self._foreign_cancellations() > 0:
                raise
        except GateFault as fault:
            self.end, self.detail = self.end or fault.end, fault.detail
        except LedgerUnavailable:
            self.end = self.end or self._ledger_end()
        except Exception:
            logger.exception("An exchange failed.")
            self.end = self.end or End.FAULT
        finally:
            if self.listener is not None:
                self.listener.cancel()
            if self._inbox is not None:
                self._stop_upload(self._inbox)
            self._settle()

    def _foreign_cancellations(self) -> int:
        while self._cuts > 1:
            self._cuts -= 1
            self._task.uncancel()
        return self._task.uncancel()

    def _ledger_end(self) -> End:
        served = self.is_answered or self._upload_begun
        return End.LEDGER_LOST if served else End.LEDGER_UNAVAILABLE

    def _settle(self) -> None:
        assert self.end is not None
        reservation, head = self.terms.reservation, self._head
        always = self.terms.token.grant.charge is Charge.ALWAYS
        cost = bill(self.end, state=self.state, status=self._status, always=always)
        self.state = advance(self.state, Step.END)
        if not (cost.calls or cost.bytes):
            reservation.settle(charged=False)
        elif not cost.calls:
            reservation.settle(charged=True, credits=0, calls=0)
        elif head is None or head.consume is None:
            report = self.terms.report
            reservation.settle(charged=True, count=report.count() if report else None)
        else:
            said = consumed(head.consume)
            clamped = reservation.settle(
                charged=True,
                credits=said.get("credits"),
                calls=said.get("calls", 1),
                data=said.get("data"),
            )
            if clamped:
                self.terms.saying.clamped(self.terms.token.grant.id)

    async def converse(self, call: Call) -> None:
        self.state = advance(self.state, Step.SEND)
        answer = await call(self._upload if self._inbox is not None else None)
        self._waiting_since = None
        self.state = advance(self.state, Step.ANSWER)
        self._status = answer.status
        try:
            head = self._answer_head(answer)
            if head.adjust is not None:
                await self.terms.saying.adjust(self.terms.token.grant, head.adjust)
            start = {"status": answer.status, "headers": head.headers}
            await self._send({"type": "http.response.start", **start})
            self._head = head
            await self._deliver(answer, head)
            # Here, not after the answer is closed: a client may leave once it has everything.
            self.end = self.end or End.COMPLETED
        finally:
            if self.end is not End.COMPLETED or self._scope["method"] == "HEAD":
                await answer.close()

    def _answer_head(self, answer: Read) -> AnswerHead:
        if not STATUS_MIN <= answer.status <= STATUS_MAX:
            raise GateFault(End.UPSTREAM_INVALID, "The API's status is none that ends a call.")
        items, undecodable = answer.headers()
        head = pass_on(items, status=answer.status, own_host=self.terms.own_host)
        head.undecodable = undecodable
        if head.is_events:
            answer.has_events()
        head.headers += limit_headers(self.terms.allowance, time.time())
        if self.terms.cross_origin:
            head.headers += CORS
        return head

    async def _deliver(self, answer: Read, head: AnswerHead) -> None:
        left = head.length
        if left == 0 or not head.has_body or self._scope["method"] == "HEAD":
            await self._send({"type": "http.response.body", "body": b""})
            return
        clock = self.terms.loop.time
        take, read, send = self.terms.reservation.take_bytes, answer.read, self._send
        while left != 0:
            self._waiting_since = clock()
            chunk = await read()
            self._waiting_since = None
            if chunk is None:
                await send({"type": "http.response.body", "body": b""})
                return
            size = len(chunk)
            if left is not None:
                left -= size
            granted = take(Direction.DOWN, min(size, CHUNK_BYTES_MAX))
            if granted == size and not head.is_events:
                body, more = bytes(chunk), left != 0
                await send({"type": "http.response.body", "body": body, "more_body": more})
            else:
                await self._deliver_pieces(memoryview(chunk), granted, is_last=left == 0)

    async def _deliver_pieces(self, chunk: memoryview, granted: int, *, is_last: bool) -> None:
        """One read in as many messages as its size, or what is left of a quota, asks for."""
        sent = 0
        while sent < len(chunk):
            granted = granted or await self._granted(Direction.DOWN, len(chunk) - sent)
            piece = bytes(chunk[sent : sent + granted])
            sent, granted = sent + granted, 0
            more = not (is_last and sent == len(chunk))
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})
            self._tail = (self._tail + piece[-4:])[-4:]

    async def _granted(self, direction: Direction, wanted: int) -> int:
        """At least one byte, or the end of the exchange."""
        reservation = self.terms.reservation
        wanted = min(wanted, CHUNK_BYTES_MAX)
        granted = reservation.take_bytes(direction, wanted)
        if not granted:
            granted = await reservation.wait_bytes(direction, wanted)
        if not granted:
            raise GateFault(End.EXHAUSTED, "The data that the grant holds is used up.")
        return granted

    async def listen(self) -> None:
        """Take the request's body as the upstream takes it, then wait for the client to leave."""
        try:
            while (message := await self._receive())["type"] != "http.disconnect":
                if self._inbox is not None:
                    more = message.get("more_body", False)
                    await self._inbox.put((message.get("body", b""), more))
            self.cut(End.CLIENT_GONE)
        except Exception:
            logger.exception("Reading a request failed.")
            self.cut(End.FAULT)

    async def _upload(self) -> AsyncIterator[bytes]:
        """The request's body for the upstream, which asks for each piece.

        Leaving by an exception makes the client abort the upstream request: it never ends cleanly.
        """
        assert self._inbox is not None
        if self._upload_begun:
            raise GateFault(End.UPSTREAM_DROPPED, "A body cannot be sent twice.")
        self._upload_begun = more = True
        clock = self.terms.loop.time
        try:
            while more:
                self._waiting_since = None
                body, more = await self._next_of_upload(self._inbox)
                sent = 0
                while sent < len(body):
                    self._waiting_since = None
                    granted = await self._granted(Direction.UP, len(body) - sent)
                    self._waiting_since = clock()
                    yield body[sent : sent + granted]
                    sent += granted
        except GateFault as fault:
            self.cut(fault.end)
            raise
        except LedgerUnavailable:
            self.cut(self._ledger_end())
            raise
        if self._head is None:
            self._waiting_since = clock()

    async def _next_of_upload(
        self, inbox: "asyncio.Queue[tuple[bytes, bool] | None]"
    ) -> tuple[bytes, bool]:
        message = None if self.end else await inbox.get()
        if message is None:
            raise GateFault(self.end or End.FAULT, "The exchange has ended.")
        return message

    def _stop_upload(self, inbox: "asyncio.Queue[tuple[bytes, bool] | None]") -> None:
        """Wake the upload, to break off. A cancelled call alone would go on waiting for it."""
        while not inbox.empty():
            inbox.get_nowait()
        inbox.put_nowait(None)

    async def farewell(self) -> None:
        """Tell the reader of a running answer why it ends here, and end it as no whole one ends."""
        assert self.end is not None
        problem, head = FOR_END.get(self.end), self._head
        if problem and head and head.is_events and head.length is None and not head.is_encoded:
            document = problem_document(problem, origin=self.terms.origin, detail=problem.title)
            event = f"event: error\ndata: {json.dumps(document)}\n\n".encode()
            if self._tail and not self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
                event = b"\n\n" + event
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self._send(
                        {"type": "http.response.body", "body": event, "more_body": True}
                    )
            except TimeoutError:
                pass
        abort = self._scope.get("extensions", {}).get("abort")
        if abort is not None:
            abort()


def limit_headers(allowance: Allowance, now_s: float) -> Headers:
    """What is left, and until when: on every answer to a call with a valid token."""
    policy, left = allowance.rate_limit_headers(now_s)
    expires = (b"apicharge-expires", b"%d" % allowance.ends_at_s)
    if not policy:
        return [expires]
    return [(b"ratelimit-policy", policy), (b"ratelimit", left), expires]
