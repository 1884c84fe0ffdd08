"""The pump of one WebSocket, with the deadlines, cuts and settling of metered.py.

A message passes whole or not at all: what it costs is taken at once, or the conversation ends and
it is neither delivered nor charged. The client's messages are passed on by the listener, the
upstream's by the exchange's own task; each asks its side for the next one when the other side took
the last.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from websockets.exceptions import ConnectionClosed

from gateway.asgi import Headers, Message, Receive, Scope, Send
from gateway.dialing import HandshakeRefused, UpstreamSocket
from gateway.domain.answers import AnswerHead, pass_on
from gateway.domain.closing import (
    ABNORMAL,
    BAD_GATEWAY,
    NO_CODE,
    SERVER_RESTARTS,
    TOO_BIG,
    Close,
    close_for,
)
from gateway.domain.errors import GateFault
from gateway.domain.exchange import End, State, Step, advance
from gateway.domain.limits import Direction
from gateway.domain.routes import Match
from gateway.domain.subprotocols import Offered
from gateway.ledgers.port import LedgerUnavailable
from gateway.metered import FAREWELL_SECONDS, STATUS_MAX, STATUS_MIN, Exchange, Terms, limit_headers

SWITCHING = 101
HANDSHAKE_HEADERS = b"sec-websocket-"
BROKEN = Close(BAD_GATEWAY, "The API's connection broke off")

Dial = Callable[[], Awaitable[UpstreamSocket | HandshakeRefused]]

logger = logging.getLogger(__name__)


class Conversation(Exchange):
    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        terms: Terms,
        offered: Offered,
        match: Match,
    ) -> None:
        super().__init__(scope, receive, send, terms)
        self._offered = offered
        self._route = match.route
        self._changes = match.service.cluster.transform
        self._upstream: UpstreamSocket | None = None
        self._open = asyncio.Event()
        self._heard_at = self.began_at
        self._parting: Close | None = None  # What one side said to the other.
        self._client_left = False

    def look(self, now: float) -> None:
        super().look(now)
        silent_ms = (now - self._heard_at) * 1000
        if self.state is State.ANSWERED and silent_ms >= self.terms.timeouts.idle_ms:
            self.cut(End.IDLE)

    async def converse_over(self, dial: Dial) -> None:
        self.state = advance(self.state, Step.SEND)
        self._waiting_since = self.began_at
        answered = await dial()
        self._waiting_since = None
        self.state = advance(self.state, Step.ANSWER)
        if isinstance(answered, HandshakeRefused):
            await self._pass_refusal(answered)
        else:
            self._upstream = answered
            await self._accept(answered)
            await self._pass_down(answered)
        self.end = self.end or End.COMPLETED

    async def _pass_refusal(self, refused: HandshakeRefused) -> None:
        self._status = refused.status
        if not STATUS_MIN <= refused.status <= STATUS_MAX:
            raise GateFault(End.UPSTREAM_INVALID, "The API's status is none that ends a call.")
        size = len(refused.body)
        if size:
            await self._take(Direction.DOWN, size)
        head = await self._pass_head(refused.headers, refused.status)
        head.headers = [pair for pair in head.headers if pair[0] != b"content-length"]
        start = {"status": refused.status, "headers": head.headers}
        await self._tell_client({"type": "websocket.http.response.start", **start})
        self._head = head
        await self._tell_client({"type": "websocket.http.response.body", "body": refused.body})

    async def _accept(self, upstream: UpstreamSocket) -> None:
        self._status = SWITCHING
        if (limit := self._scope.get("extensions", {}).get("message_bytes_max")) is not None:
            limit(self._route.message_bytes_max)
        head = await self._pass_head(upstream.headers(self._changes), SWITCHING)
        chosen = self._offered.answer(upstream.subprotocol)
        await self._tell_client(
            {"type": "websocket.accept", "subprotocol": chosen, "headers": head.headers}
        )
        self._head = head
        self._heard_at = self._now()
        self._open.set()

    async def _pass_head(self, items: list[tuple[str, str]], status: int) -> AnswerHead:
        head = pass_on(items, status=status, own_host=self.terms.own_host)
        if head.adjust is not None:
            await self.terms.saying.adjust(self.terms.token.grant, head.adjust)
        headers: Headers = [p for p in head.headers if not p[0].startswith(HANDSHAKE_HEADERS)]
        head.headers = headers + limit_headers(self.terms.allowance, time.time())
        return head

    async def _pass_down(self, upstream: UpstreamSocket) -> None:
        while (message := await upstream.next()) is not None:
            kind = "text" if isinstance(message, str) else "bytes"
            size = _size(message)
            await self._take(Direction.DOWN, size)
            try:
                await self._tell_client({"type": "websocket.send", kind: message})
            except BaseException:
                self.terms.reservation.give_back_message(Direction.DOWN, size)
                raise
            self._heard_at = self._now()
        self._parting = upstream.ended
        if self._parting is None:
            sent = upstream.protocol.close_sent
            too_big = sent is not None and sent.code == TOO_BIG
            self._parting = Close(TOO_BIG, "A message of the API is too big") if too_big else BROKEN
            raise GateFault(End.UPSTREAM_TRUNCATED, self._parting.reason)

    async def listen(self) -> None:
        """Pass the client's messages on, until it leaves."""
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await self._open.wait()
                    await self._pass_up(message)
            self._leave(message)
        except ConnectionClosed:
            pass  # The exchange's own task hears of it, too, behind the last messages.
        except GateFault as fault:
            self.cut(fault.end, fault.detail)
        except LedgerUnavailable:
            self.cut(self._ledger_end())
        except Exception:
            logger.exception("Passing on a client's message failed.")
            self.cut(End.FAULT)

    async def _pass_up(self, message: Message) -> None:
        assert self._upstream is not None
        text = message.get("text")
        data: bytes = message["bytes"] if text is None else text.encode()
        if len(data) > self._route.message_bytes_max:
            self._parting = self._parting or Close(TOO_BIG, "This message is too big")
            self.cut(End.COMPLETED)
            return
        await self._take(Direction.UP, len(data))
        self._heard_at = self._now()
        try:
            await self._upstream.send(data, text=text is not None)
        except ConnectionClosed:
            if self.end is None:
                self.terms.reservation.give_back_message(Direction.UP, len(data))
            raise
        self._heard_at = self._now()

    def _leave(self, message: Message) -> None:
        self._client_left = True
        code, reason = message.get("code", NO_CODE), message.get("reason")
        if code == SERVER_RESTARTS and reason is None:
            self.cut(End.CLOSING)  # Our own server, not the client.
        elif self.end is None:
            self._parting = Close(code, reason or "")
            self.cut(End.CLIENT_GONE if code == ABNORMAL else End.COMPLETED)

    async def _take(self, direction: Direction, size: int) -> None:
        """All that a message costs, or the end of the exchange."""
        reservation = self.terms.reservation
        if reservation.take_message(direction, size):
            return
        if (refused := await reservation.wait_message(direction, size)) is not None:
            limit = refused.limit
            of = f" of {limit.words()}" if limit else ""
            raise GateFault(End.EXHAUSTED, f"Not enough is left{of} for this message.")

    async def farewell(self) -> None:
        """Tell both sides why it ends here; who does not listen is cut off."""
        upstream = self._upstream
        if upstream is None:
            return
        assert self.end is not None
        close = self._parting
        if close is None:
            gone = self.end is End.CLIENT_GONE
            close = Close(ABNORMAL) if gone else close_for(self.end, self.detail)
        upstream.begin_close(close)
        if not self._client_left:
            await self._close_client(close)
        await upstream.end(FAREWELL_SECONDS)

    def release(self) -> None:
        """Whatever happened: no connection stays."""
        if self._upstream is not None:
            self._upstream.transport.abort()

    async def _close_client(self, close: Close) -> None:
        said = {"type": "websocket.close", "code": close.code, "reason": close.reason}
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._send(said)
        except TimeoutError:
            if (abort := self._scope.get("extensions", {}).get("abort")) is not None:
                abort()
        except OSError:
            pass  # It has closed meanwhile.

    async def _tell_client(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as exc:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await asyncio.Event().wait()  # The listener hears how, and cuts.
            raise GateFault(End.CLIENT_GONE, "The client has left.") from exc

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _size(message: str | bytes) -> int:
    """In bytes, as it travels: text is UTF-8."""
    if isinstance(message, bytes) or message.isascii():
        return len(message)
    return len(message.encode())
