"""The HTTP gate: identify, admit, forward, settle. A raw ASGI callable, without Django."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Protocol

from gateway.addresses import Policy
from gateway.asgi import (
    Receive,
    Reply,
    Scope,
    Send,
    answer,
    answer_handshake,
    client_address,
)
from gateway.calling import Calling
from gateway.challenge import Challenge
from gateway.chronicle import Chronicle
from gateway.conf import GateConfig, Ports
from gateway.counting import counting
from gateway.domain import errors
from gateway.domain.allowance import Refused, Unavailable, Why
from gateway.domain.chronicle import NOBODYS
from gateway.domain.clusters import Cluster
from gateway.domain.errors import FOR_END, Refusal
from gateway.domain.exchange import End
from gateway.domain.headers import RequestHead, header, sift
from gateway.forwarding import upstream_request
from gateway.grpc import GrpcCall, counting_up, is_call
from gateway.guarding import Guarding, Pass
from gateway.identifying import Identified, Identifying
from gateway.leasing import Leasing
from gateway.relaying import Relay
from gateway.reporting import Report, Sender
from gateway.reservations import Reservation
from gateway.routing import Routing, Source
from gateway.saying import Saying
from gateway.spending import Allowance
from gateway.terms import Terms
from gateway.upstream import Asked, Upstreams
from gateway.watching import Watch

PROBLEMS = {
    Why.EXHAUSTED: errors.QUOTA_EXHAUSTED,
    Why.WINDOW_EXHAUSTED: errors.WINDOW_EXHAUSTED,
    Why.GRANT_EXPIRED: errors.GRANT_EXPIRED,
    Why.NO_LEDGER: errors.INVALID_TOKEN,
    Why.RATE: errors.RATE_EXCEEDED,
    Why.CONCURRENCY: errors.TOO_MANY_AT_ONCE,
    Why.SCHEDULE: errors.OUTSIDE_SCHEDULE,
}
REMEMBERED_ENDS = frozenset({End.EXPIRED, End.REVOKED, End.EXHAUSTED, End.OUTSIDE_SCHEDULE})

NO_CALL = Refusal(
    errors.MALFORMED_REQUEST,
    "This API is called by gRPC, over HTTP/2; the messages of anything else cannot be counted.",
)
STRANGE = frozenset({400, 401, 402, 403, 404})
"""Answers that a caller without a valid token has to do with, and not the gate."""


class Told(Protocol):
    """An exchange whose client is told how it ended."""

    end: End | None
    detail: str
    is_answered: bool
    terms: Terms
    scope: Scope
    send: Send

    async def farewell(self, origin: str) -> None: ...


class Gate:
    def __init__(
        self, config: GateConfig, leasing: Leasing, source: Source, ports: Ports | None = None
    ) -> None:
        self.config = config
        self.source = source
        self.routing = Routing(source)
        self.undecodable = 0
        """Headers of requests that are no text, and were left out."""
        told = ports or Ports()
        self.chronicle = Chronicle(told.books)
        self.guarding = Guarding(config.strangers, time.monotonic)
        self.watch = Watch(self.chronicle.note)
        self.leasing = leasing
        self.identifying = Identifying(self.routing, self.guarding, tokens_kept=config.tokens_kept)
        self._challenge = Challenge(config, told)
        self.saying = Saying(told.bookings)
        self.routing.on_run_out = self._run_out
        self.policy = Policy(config.upstream_networks, config.own_addresses)
        self._upstreams = Upstreams(
            self.policy,
            pool_idle_max=config.pool_idle_max,
            root_certificates=config.extra_root_certificates,
        )
        self.calling = Calling(self._upstreams)
        self.routing.on_table = self.calling.keep
        self._sender: Sender = self.calling.send
        self._probing: asyncio.Task[None] | None = None

    def owns(self, scope: Scope) -> bool:
        """Whether this request is the gate's to answer."""
        path = scope["path"]
        if path.startswith("//"):
            path = f"/{path.lstrip('/')}"
        if path.startswith(self.config.prefix):
            return True
        table = self.routing.table
        if table is None or not (table.hosts or table.root_paths):
            return False
        return table.owns(header(scope["headers"], b"host") or "", path)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Hands over without a coroutine of its own: each would cost every call.
        now_s = time.time()
        head = sift(scope["headers"], self.config.console_cookies)
        if scope["method"] == "OPTIONS" and (reply := self._preflight(scope, head)):
            return answer(send, reply)
        if head.undecodable:
            self.undecodable += head.undecodable
        found = self.identifying.identify(scope, head, now_s)
        if isinstance(found, Refusal):
            return self.turn_away(found, scope, send)
        request = upstream_request(scope, head, found, now_s)
        allowance = self.leasing.allowance(found.token.grant)
        terms = Terms(found, allowance, self.saying, now_s)
        kind = GrpcCall if scope["http_version"] == "2" and is_call(scope) else Relay
        relay = kind(scope, receive, send, head, terms)
        if found.match.route.guard is not None:
            return self._guarded(relay, request, head.length)
        admitted = allowance.acquire_now(now_s)
        if isinstance(admitted, Reservation):
            if not allowance.is_plain:
                return self._carry(relay, request, admitted)
            terms.reservation = admitted
            return relay.run(relay.carry(request, self._sender, self.watch), self.watch, self.tell)
        return self._admit(relay, request, admitted)

    def pass_guard(self, found: Identified, scope: Scope, length: int | None) -> Pass | Refusal:
        """Of a route that has one; the pass is ended with the call."""
        route, address = found.match.route, client_address(scope)
        assert route.guard is not None
        passed = self.guarding.admit(route.guard, route.id, address, found.token.grant, length)
        if isinstance(passed, Refusal):
            self.chronicle.refused(found.whose, passed.problem.slug)
        return passed

    async def _guarded(self, relay: Relay, request: Asked, length: int | None) -> None:
        terms, scope = relay.terms, relay.scope
        passed = self.pass_guard(terms.found, scope, length)
        if isinstance(passed, Refusal):
            return await self.refuse(passed, scope, relay.send, terms.allowance)
        terms.passed = passed
        try:
            await self._admit(relay, request, None)
        finally:
            passed.end()

    async def _admit(
        self, relay: Relay, request: Asked, refused: Refused | Unavailable | None
    ) -> None:
        """Where the ledger has to be asked first, and where it need not be asked."""
        terms = relay.terms
        outcome = refused or await terms.allowance.acquire(terms.now_s)
        admitted = self.still(outcome, terms.found)
        if isinstance(admitted, Reservation):
            terms.now_s = time.time()
            return await self._carry(relay, request, admitted)
        return await self._turn_back(relay, admitted)

    def still(
        self, outcome: Reservation | Refused | Unavailable, found: Identified
    ) -> Reservation | Refusal:
        """What came of asking for admission. A withdrawal meanwhile had no exchange to cut."""
        if not isinstance(outcome, Reservation):
            return refusal(outcome, found)
        withdrawn = self.identifying.withdrawn(found)
        if withdrawn is None:
            return outcome
        outcome.settle(charged=False)
        return withdrawn

    def _turn_back(self, relay: Relay, refused: Refusal) -> Awaitable[None]:
        terms = relay.terms
        self.chronicle.refused(terms.found.whose, refused.problem.slug)
        return self.refuse(refused, relay.scope, relay.send, terms.allowance)

    def _carry(self, relay: Relay, request: Asked, admitted: Reservation) -> Awaitable[None]:
        terms, sender = relay.terms, self._sender
        terms.reservation = admitted
        if terms.allowance.is_metered:
            terms.report = Report(terms.token.grant, admitted, request)
            sender = terms.report.sending(sender)
        if terms.allowance.counts_messages:
            if request.cluster.is_grpc and not isinstance(relay, GrpcCall):
                admitted.settle(charged=False)
                return self._turn_back(relay, replace(NO_CALL, route=terms.found.match.route.id))
            if isinstance(relay, GrpcCall) or request.cluster.speaks_http2:
                sender = counting_up(sender, relay)
            if terms.allowance.counts_events:
                sender = counting(sender, admitted, request)
        return relay.run(relay.carry(request, sender, self.watch), self.watch, self.tell)

    async def tell(self, exchange: Told) -> None:
        """The end of an exchange that did not complete, to whoever can still hear it."""
        end, allowance = exchange.end, exchange.terms.allowance
        assert end is not None
        if end in REMEMBERED_ENDS:
            allowance.ended(end.value, time.time())
        if exchange.is_answered or end is End.CLIENT_GONE:
            return await exchange.farewell(self.config.origin)
        problem = FOR_END[end]
        refused = Refusal(
            problem,
            exchange.detail or problem.title,
            error=end.value,
            retry_after_s=1 if problem.status == 503 else None,
            route=exchange.terms.found.match.route.id,
        )
        return await self.refuse(refused, exchange.scope, exchange.send, allowance)

    def turn_away(self, refused: Refusal, scope: Scope, send: Send) -> Awaitable[None]:
        """Before anybody was admitted to anything; a stranger only as often as guards allow."""
        table = self.routing.table
        route = None if table is None else table.routes.get(refused.route or "")
        whose = NOBODYS if route is None else (refused.grant_id, route.id, route.provider)
        if not refused.grant_id and refused.problem.status in STRANGE:
            guard = None if route is None else route.guard
            found = self.guarding.stranger(client_address(scope), whose[1], guard)
            refused = found or refused
        self.chronicle.refused(whose, refused.problem.slug)
        return self.refuse(refused, scope, send)

    async def refuse(
        self, refused: Refusal, scope: Scope, send: Send, allowance: Allowance | None = None
    ) -> None:
        reply = await self._challenge.reply(refused, scope, self.routing.table)
        if allowance is not None:
            reply.headers.extend(allowance.headers(time.time()))
        if scope["type"] == "websocket":
            return await answer_handshake(scope, send, reply)
        return await answer(send, reply)

    def _preflight(self, scope: Scope, head: RequestHead) -> Reply | None:
        asked = header(scope["headers"], b"access-control-request-method")
        if not head.origin or asked is None:
            return None
        found = self.identifying.route(scope, head, asked)
        return None if isinstance(found, Refusal) else self._challenge.preflight(scope, found.route)

    async def start(self) -> None:
        await self.leasing.start()
        await self.chronicle.start()
        await self.routing.start(on_withdrawal=self._withdraw)
        self.watch.start()
        probing = self.calling.probe(self._probed)
        self._probing = asyncio.get_running_loop().create_task(probing)

    async def stop(self) -> None:
        """Exchanges that the server did not let end are cut; then all leases go back."""
        self.watch.cut(End.CLOSING)
        await self.watch.until_empty(seconds=1.0)
        await self.watch.stop()
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self.routing.stop()
        await self.saying.stop()
        await self.chronicle.stop()
        await self.leasing.stop()
        await self._upstreams.close()

    def _probed(self) -> Sequence[Cluster]:
        return self.routing.table.probed if self.routing.table is not None else ()

    def _withdraw(self) -> None:
        self.watch.cut(End.REVOKED, self.routing.is_withdrawn)

    def _run_out(self, grant_ids: frozenset[str]) -> None:
        self.watch.cut(End.EXHAUSTED, lambda token: token.grant.id in grant_ids)


def refusal(refused: Refused | Unavailable, found: Identified) -> Refusal:
    route = found.match.route.id
    if isinstance(refused, Unavailable):
        return Refusal(
            errors.LEDGER_UNAVAILABLE,
            "What is left of the grant cannot be counted now. Nothing was charged.",
            retry_after_s=refused.retry_after_s,
        )
    words = refused.limit.words() if refused.limit else ""
    limit = f" of {words}" if words else ""
    details = {
        Why.RATE: f"The grant is for {words}.",
        Why.CONCURRENCY: f"The grant is for {words}.",
        Why.SCHEDULE: f"The grant works {words}.",
        Why.EXHAUSTED: f"Nothing is left{limit}.",
        Why.WINDOW_EXHAUSTED: f"Nothing is left{limit} until the next window.",
        Why.GRANT_EXPIRED: "This grant has ended.",
        Why.NO_LEDGER: "This gateway has no ledger for the grant.",
    }
    return Refusal(
        PROBLEMS[refused.why],
        details[refused.why],
        error=refused.why.value,
        retry_after_s=refused.retry_after_s,
        route=route,
    )
