"""The pump of one WebSocket: whole messages, both ways, until one side has enough or is cut.

The client's messages are passed on by the listener, the upstream's by the exchange's own task; each
asks its side for the next one when the other side took the last. Closes pass as they are, code and
reason; who ends a conversation in the middle says so to both sides.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable

from gateway.asgi import HANDSHAKE_ANSWER, Headers, Message, Receive, Scope, Send
from gateway.dialing import HandshakeRefused, UpstreamSocket
from gateway.domain.answers import pass_on
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
from gateway.domain.exchange import End
from gateway.domain.headers import Pair
from gateway.domain.limits import Direction
from gateway.domain.subprotocols import Offered
from gateway.exchanging import ANSWERED, SENT, Exchange
from gateway.metered import granted_whole
from gateway.relaying import FAREWELL_SECONDS, STATUS_MAX, STATUS_MIN
from gateway.terms import Terms
from gateway.watching import Watch

ACCEPTS_BELOW = 300
"""Over HTTP/2, where a WebSocket is accepted by a 2xx."""
HANDSHAKE_HEADERS = b"sec-websocket-"
BROKEN = Close(BAD_GATEWAY, "The API's connection broke off")


class Conversation(Exchange):
    _upstream: UpstreamSocket | None = None
    _parting: Close | None = None
    """What one side said to the other."""
    _client_left = False
    _held = 0
    """Messages that wait for what they cost."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, offered: Offered, terms: Terms
    ) -> None:
        super().__init__(receive, terms)
        self.scope = scope
        self.send = send
        self._offered = offered
        self._route = terms.found.match.route
        self._changes = terms.found.match.service.cluster.transform
        self._open = asyncio.Event()
        self._heard_at = 0.0

    def look(self, now: float) -> float:
        ends_at = super().look(now)
        is_open = self.state is ANSWERED and not self._held
        idle_ms = min(self.terms.timeouts.idle_ms, self.terms.idle_ms or math.inf)
        if is_open and (now - self._heard_at) * 1000 >= idle_ms:
            self.cut(End.IDLE)
        return ends_at

    async def carry(
        self, dialed: Awaitable[UpstreamSocket | HandshakeRefused], watch: Watch
    ) -> None:
        self._clock = watch.loop.time
        watch.listen(self)  # The client may speak at once.
        self.state = SENT
        self.waiting_since = self.began_at
        answered = await dialed
        self.waiting_since = None
        self.state = ANSWERED
        self.status = answered.status
        self._heard_at = self.answered_at = self._clock()
        if isinstance(answered, HandshakeRefused):
            await self._pass_refusal(answered)
        else:
            self._upstream = answered
            await self._accept(answered)
            await self._pass_down(answered)
        self.end = self.end or End.COMPLETED

    async def _pass_refusal(self, refused: HandshakeRefused) -> None:
        accepts_below = ACCEPTS_BELOW if self.scope["http_version"] == "2" else STATUS_MIN
        if not accepts_below <= refused.status <= STATUS_MAX:
            raise GateFault(End.UPSTREAM_INVALID, "The API's status is none that refuses.")
        await self._take(Direction.DOWN, len(refused.body), count=0)
        headers = await self._pass_head(refused.headers, refused.status)
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        start = {"status": refused.status, "headers": headers}
        await self._tell_client({"type": f"{HANDSHAKE_ANSWER}.start", **start})
        self.is_answered = self.has_served = True
        await self._tell_client({"type": f"{HANDSHAKE_ANSWER}.body", "body": refused.body})

    async def _accept(self, upstream: UpstreamSocket) -> None:
        if (limit := self.scope.get("extensions", {}).get("message_bytes_max")) is not None:
            limit(self._route.message_bytes_max)
        headers = await self._pass_head(upstream.headers(self._changes), upstream.status)
        chosen = self._offered.answer(upstream.subprotocol)
        await self._tell_client(
            {"type": "websocket.accept", "subprotocol": chosen, "headers": headers}
        )
        self.is_answered = self.has_served = True
        self._heard_at = self._clock()
        self._open.set()

    async def _pass_head(self, items: list[Pair], status: int) -> Headers:
        head = pass_on(items, status=status, own_host=self.terms.own_host)
        self.said = head.consume
        if head.adjust is not None:
            await self.terms.adjust(head.adjust)
        headers = [pair for pair in head.headers if not pair[0].startswith(HANDSHAKE_HEADERS)]
        headers += self.terms.rewritten(head.addresses, self.scope)
        return headers + self.terms.headers()

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
            self.messages += 1
            self.bytes_down += size
            self._heard_at = self._clock()
        self._parting = upstream.ended
        if self._parting is None:
            sent = upstream.protocol.close_sent
            too_big = sent is not None and sent.code == TOO_BIG
            self._parting = Close(TOO_BIG, "A message of the API is too big") if too_big else BROKEN
            raise GateFault(End.UPSTREAM_TRUNCATED, self._parting.reason)

    async def hear(self, message: Message) -> None:
        if message["type"] == "websocket.receive":
            await self._open.wait()
            await self._pass_up(message)

    async def _pass_up(self, message: Message) -> None:
        assert self._upstream is not None
        text = message.get("text")
        data: bytes = message["bytes"] if text is None else text.encode()
        if len(data) > self._route.message_bytes_max:
            self._parting = self._parting or Close(TOO_BIG, "This message is too big")
            self.cut(End.COMPLETED)
            return
        await self._take(Direction.UP, len(data))
        if await self._upstream.pass_on(data, text=text is not None):
            self.messages += 1
            self.bytes_up += len(data)
        else:  # The exchange's own task hears of it, too, behind the last messages.
            self.terms.reservation.give_back_message(Direction.UP, len(data))
        self._heard_at = self._clock()

    def leave(self, message: Message) -> None:
        self._client_left = True
        code, reason = message.get("code", NO_CODE), message.get("reason")
        if code == SERVER_RESTARTS and reason is None:
            self.cut(End.CLOSING)  # Our own server, not the client.
        elif self.end is None:
            self._parting = Close(code, reason or "")
            self.cut(End.CLIENT_GONE if code == ABNORMAL else End.COMPLETED)

    async def _take(self, direction: Direction, size: int, count: int = 1) -> None:
        if self.terms.reservation.take_message(direction, size, count):
            return
        self._held += 1
        try:
            await granted_whole(self.terms, direction, size, count)
        finally:
            self._held -= 1
            self._heard_at = self._clock()

    async def farewell(self, origin: str) -> None:  # noqa: ARG002 - no document is sent
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
                await self.send(said)
        except TimeoutError:
            if (abort := self.scope.get("extensions", {}).get("abort")) is not None:
                abort()
        except OSError:
            pass  # It has closed meanwhile.

    async def _tell_client(self, message: Message) -> None:
        try:
            await self.send(message)
        except OSError as exc:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await asyncio.Event().wait()  # The listener hears how, and cuts.
            raise GateFault(End.CLIENT_GONE, "The client has left.") from exc


def _size(message: str | bytes) -> int:
    """In bytes, as it travels: text is UTF-8."""
    if isinstance(message, bytes) or message.isascii():
        return len(message)
    return len(message.encode())
