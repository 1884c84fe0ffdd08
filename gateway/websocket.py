"""The WebSocket gate: identify, admit, dial, converse, settle. A raw ASGI callable, without Django.

The handshake is an HTTP request and refused like one, before it is accepted. What is told apart is
who is asking: a page of a foreign origin must not converse with a visitor's cookie, so a cookie
counts only from the origins that the service lists, and a browser without one names its token as a
subprotocol.
"""

import time

from gateway.asgi import Receive, Reply, Scope, Send
from gateway.conversing import Conversation, Dial
from gateway.dialing import Dialing
from gateway.domain import errors
from gateway.domain.errors import FOR_END, Refusal
from gateway.domain.exchange import End
from gateway.domain.headers import RequestHead, header, sift
from gateway.domain.routes import Match
from gateway.domain.subprotocols import Offered, read
from gateway.forwarding import upstream_request
from gateway.identifying import Identified
from gateway.metered import Terms, limit_headers
from gateway.proxy import REMEMBERED_ENDS, Gate, refusal
from gateway.reservations import Reservation
from gateway.spending import Allowance

HANDSHAKE_HEADERS = "sec-websocket-"
SCHEMES = {"ws": "http", "wss": "https"}
ANSWER_EXTENSION = "websocket.http.response"
UNMETERED = "This grant is priced by what answers report; a WebSocket's are not read for it."
FOREIGN_COOKIE = "The cookie counts only from the service's own allowed origins."


class WebSocketGate:
    """Shares all but the pump with the HTTP gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._dialing = Dialing(gate.policy, gate.config.extra_root_certificates)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, now_s = self._gate, time.time()
        scope = {**scope, "method": "GET", "scheme": SCHEMES.get(scope["scheme"], scope["scheme"])}
        head, offered = sift(scope["headers"], gate.config.console_cookies), read(_names(scope))
        found = self._identify(scope, head, offered, now_s)
        if isinstance(found, Refusal):
            return await self._refuse(found, scope, send)
        allowance = gate.leasing.allowance(found.token.grant)
        if allowance.is_metered:
            unmetered = Refusal(errors.OUT_OF_SCOPE, UNMETERED, route=found.match.route.id)
            return await self._refuse(unmetered, scope, send, allowance)
        admitted = allowance.acquire_now(now_s) or await allowance.acquire(now_s)
        if not isinstance(admitted, Reservation):
            return await self._refuse(refusal(admitted, found), scope, send, allowance)
        terms = Terms(
            loop=gate.loop,
            now_s=now_s,
            token=found.token,
            allowance=allowance,
            reservation=admitted,
            timeouts=found.match.route.timeouts,
            own_host=found.match.own_host,
            has_body=True,  # The client may speak at once.
            cross_origin=head.origin,
            origin=gate.config.origin,
            saying=gate.saying,
            report=None,
        )
        conversation = Conversation(scope, receive, send, terms, offered, found.match)
        dial = self._dial(scope, head, found, offered, now_s)
        gate.watch.add(conversation)
        try:
            await conversation.run(conversation.converse_over(dial))
            await self._tell(conversation, found, scope, send)
        finally:
            gate.watch.remove(conversation)
            conversation.release()
        return None

    def _identify(
        self, scope: Scope, head: RequestHead, offered: Offered, now_s: float
    ) -> Identified | Refusal:
        identifying = self._gate.identifying
        match = identifying.route(scope, head, scope["method"])
        if isinstance(match, Refusal):
            return match
        is_foreign = head.cookie_token is not None and not _is_allowed(scope, match)
        if is_foreign:
            head.cookie_token = None
        if head.token is None:
            if is_foreign and offered.token is None:
                return Refusal(errors.OUT_OF_SCOPE, FOREIGN_COOKIE, route=match.route.id)
            head.cookie_token = offered.token  # The last that may be presented.
        return identifying.identify(scope, head, now_s)

    def _dial(
        self, scope: Scope, head: RequestHead, found: Identified, offered: Offered, now_s: float
    ) -> Dial:
        asked = upstream_request(scope, head, found, now_s)
        # The other hop shakes hands for itself; a handshake has no body.
        asked.headers[:] = [
            pair
            for pair in asked.headers
            if not pair[0].startswith(HANDSHAKE_HEADERS) and pair[0] != "content-length"
        ]
        return lambda: self._dialing.dial(
            asked, offered.others, found.match.route.message_bytes_max
        )

    async def _tell(
        self, conversation: Conversation, found: Identified, scope: Scope, send: Send
    ) -> None:
        end = conversation.end
        assert end is not None
        allowance = conversation.terms.allowance
        if end in REMEMBERED_ENDS:
            allowance.ended(end.value, time.time())
        if conversation.is_answered or end is End.CLIENT_GONE:
            return await conversation.farewell()
        problem = FOR_END[end]
        refused = Refusal(
            problem,
            conversation.detail or problem.title,
            error=end.value,
            retry_after_s=1 if problem.status == 503 else None,
            route=found.match.route.id,
        )
        return await self._refuse(refused, scope, send, allowance)

    async def _refuse(
        self, refused: Refusal, scope: Scope, send: Send, allowance: Allowance | None = None
    ) -> None:
        reply = await self._gate.challenge.reply(refused, scope, self._gate.routing.table)
        if allowance is not None:
            reply.headers.extend(limit_headers(allowance, time.time()))
        await answer_handshake(scope, send, reply)


def _names(scope: Scope) -> list[str]:
    names: list[str] = list(scope.get("subprotocols") or ())
    return names


def _is_allowed(scope: Scope, match: Match) -> bool:
    return header(scope["headers"], b"origin") in match.service.allowed_origins


async def answer_handshake(scope: Scope, send: Send, reply: Reply) -> None:
    """An HTTP answer instead of a WebSocket; servers that cannot say 403 and nothing else."""
    if ANSWER_EXTENSION not in scope.get("extensions", {}):
        return await send({"type": "websocket.close"})
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    start = {"type": f"{ANSWER_EXTENSION}.start", "status": reply.status, "headers": headers}
    try:
        await send(start)
        await send({"type": f"{ANSWER_EXTENSION}.body", "body": reply.body})
    except OSError:
        pass  # Nobody waits for it any more.
    return None
