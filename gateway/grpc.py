"""What gRPC adds to a relayed request: its own deadline, and ends that are told in trailers.

An upstream's failure is a number in the trailers of an answer that is otherwise whole. Where it
came instead of messages it costs what a 5xx costs, and after some what a broken answer does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial

from gateway.asgi import Headers, Receive, Scope, Send
from gateway.counting import Cutter, StaysBack, Supposing
from gateway.domain.answers import AnswerHead
from gateway.domain.errors import FOR_END, GateFault
from gateway.domain.exchange import End
from gateway.domain.grpc import (
    SEEN_AS_STATUS,
    Field,
    ending,
    has_failed,
    is_grpc,
    is_grpc_type,
    timeout_s,
)
from gateway.domain.headers import Pair, RequestHead, header
from gateway.domain.limits import Direction
from gateway.exchanging import ADMITTED, SENT
from gateway.relaying import FAREWELL_SECONDS, Relay
from gateway.reporting import Read, Sender
from gateway.terms import Terms
from gateway.upstream import Asked, Body

DEADLINE_LEEWAY_SECONDS = 0.5
"""For both sides to end it first, as they do: they have clocks of their own."""


def is_call(scope: Scope) -> bool:
    """Not a WebSocket: what refuses one is no 200, whatever type it says that it has."""
    is_http2 = scope["type"] == "http" and scope["http_version"] == "2"
    return is_http2 and is_grpc(scope["headers"])


def counting_up(send: Sender, relay: Relay) -> Sender:
    """What the client says, each message taken as it begins to pass.

    Whether it said any, the upstream decides: by its kind, or by what it answers. A caller who does
    not name what he sends may have sent messages all the same, as far as it can be read as such.
    """
    reservation, headers = relay.terms.reservation, relay.scope["headers"]
    cutter = (
        Cutter(reservation, Direction.UP)
        if is_grpc(headers)
        else Supposing(reservation, _body_bytes(headers))
    )

    async def counted(body: Body) -> AsyncIterator[bytes]:
        left = 0
        try:
            async for piece in body():
                left += len(piece)
                async for passed in cutter.pieces(piece):
                    left -= len(passed)
                    yield passed
        except GateFault as fault:
            if isinstance(fault, StaysBack) and relay.state is SENT:
                relay.state = ADMITTED  # Of what it asks for, nothing was sent.
            reservation.give_back_bytes(Direction.UP, left)
            relay.bytes_up -= left
            relay.cut(fault.end, fault.detail)
            raise

    async def sent(asked: Asked, body: Body | None) -> Read:
        answer = await send(asked, None if body is None else partial(counted, body))
        if not (asked.cluster.is_grpc or _is_by_grpc(answer)):
            cutter.give_up()
        return answer

    return sent


def _body_bytes(headers: Iterable[Field]) -> int | None:
    """None where it is not known before its end."""
    said = dict(headers)
    length = said.get(b"content-length", b"")
    return int(length) if length.isdigit() and b"transfer-encoding" not in said else None


def _is_by_grpc(answer: Read) -> bool:
    items, _ = answer.headers()
    return any(name == "content-type" and is_grpc_type(value) for name, value in items)


class GrpcCall(Relay):
    _is_concluded = False

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, request: RequestHead, terms: Terms
    ) -> None:
        super().__init__(scope, receive, send, request, terms)
        self._timeout_s = timeout_s(header(scope["headers"], b"grpc-timeout"))

    def look(self, now: float) -> float:
        timeout_s = self._timeout_s
        if timeout_s is not None and now - self.began_at > timeout_s + DEADLINE_LEEWAY_SECONDS:
            self.cut(End.DEADLINE)
        return super().look(now)

    def _answer_head(self, answer: Read) -> AnswerHead:
        head = super()._answer_head(answer)
        if head.grpc_status is not None:
            # Its trailers are its head: one frame, as it was the upstream's.
            head.length = 0
            self._is_concluded, self._trails = True, False
            self._judge(head.grpc_status, is_empty=True)
        return head

    async def _conclude(self, items: Sequence[Pair], *, is_empty: bool) -> None:
        await super()._conclude(items, is_empty=is_empty)
        self._is_concluded = True
        self._judge(dict(items).get("grpc-status"), is_empty=is_empty)

    def _judge(self, status: str | None, *, is_empty: bool) -> None:
        if has_failed(status):
            if is_empty:
                self.status = SEEN_AS_STATUS
            else:
                self.end = self.end or End.UPSTREAM_TRUNCATED

    async def farewell(self, origin: str) -> None:
        if self._is_concluded:
            return
        problem = FOR_END.get(self.end or End.FAULT)
        if problem is not None:
            trailers = ending(problem, origin=origin, detail=self.detail or problem.title)
            await self._part(trailers)
        self.abort()

    async def _part(self, trailers: Headers) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self.send({"type": "http.response.body", "body": b""})
                await self.send({"type": "http.response.trailers", "headers": trailers})
        except OSError:
            pass  # Too late, or nobody there.
