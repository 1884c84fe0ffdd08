"""The WebSocket gate: identify, admit, dial, converse, settle. A raw ASGI callable, without Django.

The handshake is an HTTP request and refused like one, before it is accepted. What is told apart is
who is asking: a page of a foreign origin must not converse with a visitor's cookie, so a cookie
counts only from the origins that the service lists, and a browser without one names its token as a
subprotocol.
"""

import time
from collections.abc import Awaitable

from gateway.asgi import Receive, Scope, Send
from gateway.conversing import Conversation
from gateway.dialing import Dialing, HandshakeRefused, UpstreamSocket
from gateway.domain import errors
from gateway.domain.errors import Refusal
from gateway.domain.exchange import End
from gateway.domain.headers import RequestHead, header, sift
from gateway.domain.routes import Match
from gateway.domain.subprotocols import Offered, read
from gateway.forwarding import upstream_request
from gateway.identifying import Identified
from gateway.proxy import Gate
from gateway.reservations import Reservation
from gateway.terms import Terms
from gateway.upstream import Asked

HANDSHAKE_HEADERS = "sec-websocket-"
SCHEMES = {"ws": "http", "wss": "https"}
UNMETERED = "This grant is priced by what answers report; a WebSocket's are not read for it."
FOREIGN_COOKIE = "The cookie counts only from the service's own allowed origins."


class WebSocketGate:
    """Shares all but what passes with the HTTP gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._dialing = Dialing(gate.policy, gate.config.extra_root_certificates)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, now_s = self._gate, time.time()
        scope = {**scope, "method": "GET", "scheme": SCHEMES.get(scope["scheme"], scope["scheme"])}
        head, offered = sift(scope["headers"], gate.config.console_cookies), read(_names(scope))
        found = self._identify(scope, head, offered, now_s)
        if isinstance(found, Refusal):
            return await gate.turn_away(found, scope, send)
        terms = Terms(found, gate.leasing.allowance(found.token.grant), gate.saying, now_s)
        conversation = Conversation(scope, receive, send, offered, terms)
        asked = _asked(scope, head, found, now_s)
        if found.match.route.guard is None:
            return await self._admit(conversation, asked, offered)
        passed = gate.pass_guard(found, scope, None)
        if isinstance(passed, Refusal):
            return await gate.refuse(passed, scope, send, terms.allowance)
        terms.passed = passed
        try:
            return await self._admit(conversation, asked, offered)
        finally:
            passed.end()

    async def _admit(self, conversation: Conversation, asked: Asked, offered: Offered) -> None:
        gate, terms = self._gate, conversation.terms
        found, allowance = terms.found, terms.allowance
        admitted: Reservation | Refusal = Refusal(
            errors.OUT_OF_SCOPE, UNMETERED, route=found.match.route.id
        )
        if not allowance.is_metered:
            outcome = allowance.acquire_now(terms.now_s) or await allowance.acquire(terms.now_s)
            admitted = gate.still(outcome, found)
        if isinstance(admitted, Refusal):
            gate.chronicle.refused(found.whose, admitted.problem.slug)
            return await gate.refuse(admitted, conversation.scope, conversation.send, allowance)
        terms.now_s, terms.reservation = time.time(), admitted
        try:
            carried = conversation.carry(self._dialed(asked, offered, terms), gate.watch)
            await conversation.run(carried, gate.watch, gate.tell)
            if conversation.end is End.COMPLETED:
                await conversation.farewell(gate.config.origin)
        finally:
            asked.leave()
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

    def _dialed(
        self, asked: Asked, offered: Offered, terms: Terms
    ) -> Awaitable[UpstreamSocket | HandshakeRefused]:
        longest = terms.found.match.route.message_bytes_max
        return self._gate.calling.through(
            asked, lambda url: self._dialing.dial(url, asked, offered.others, longest)
        )


def _asked(scope: Scope, head: RequestHead, found: Identified, now_s: float) -> Asked:
    """The other hop shakes hands for itself; a handshake has no body."""
    asked = upstream_request(scope, head, found, now_s)
    asked.headers[:] = [
        pair
        for pair in asked.headers
        if not pair[0].startswith(HANDSHAKE_HEADERS) and pair[0] != "content-length"
    ]
    return asked


def _names(scope: Scope) -> list[str]:
    names: list[str] = list(scope.get("subprotocols") or ())
    return names


def _is_allowed(scope: Scope, match: Match) -> bool:
    return header(scope["headers"], b"origin") in match.service.allowed_origins
