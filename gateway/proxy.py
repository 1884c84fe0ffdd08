"""The HTTP gate: identify, admit, forward, settle. A raw ASGI callable, without Django."""

import asyncio
import logging
import time
from collections.abc import Sequence

from gateway.addresses import Policy
from gateway.asgi import Receive, Reply, Scope, Send, answer
from gateway.calling import Calling
from gateway.challenge import Challenge
from gateway.conf import GateConfig, Ports
from gateway.domain import errors
from gateway.domain.allowance import Refused, Unavailable, Why
from gateway.domain.clusters import Cluster
from gateway.domain.errors import FOR_END, Refusal
from gateway.domain.exchange import End
from gateway.domain.headers import RequestHead, header, sift
from gateway.forwarding import upstream_request
from gateway.identifying import Identified, Identifying
from gateway.leasing import Leasing
from gateway.metered import Exchange, Terms, limit_headers
from gateway.reporting import Report
from gateway.reservations import Reservation
from gateway.routing import Routing, Source
from gateway.saying import Saying
from gateway.spending import Allowance
from gateway.upstream import Upstreams
from gateway.watching import Watch

logger = logging.getLogger(__name__)

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


class Gate:
    def __init__(
        self, config: GateConfig, leasing: Leasing, source: Source, ports: Ports | None = None
    ) -> None:
        self.config = config
        self.routing = Routing(source)
        self.watch = Watch()
        self.leasing = leasing
        self.identifying = Identifying(self.routing, tokens_kept=config.tokens_kept)
        self.challenge = Challenge(config, ports or Ports())
        self.saying = Saying(None if ports is None else ports.bookings)
        self.routing.on_run_out = self._run_out
        self.policy = Policy(config.upstream_networks, config.own_addresses)
        self._upstreams = Upstreams(
            self.policy,
            pool_idle_max=config.pool_idle_max,
            root_certificates=config.extra_root_certificates,
        )
        self._calling = Calling(self._upstreams)
        self._watching: asyncio.Task[None] | None = None
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now_s = time.time()
        head = sift(scope["headers"], self.config.console_cookies)
        if scope["method"] == "OPTIONS" and (reply := self._preflight(scope, head)):
            return await answer(send, reply)
        found = self.identifying.identify(scope, head, now_s)
        if isinstance(found, Refusal):
            return await self._refuse(found, scope, send)
        request = upstream_request(scope, head, found, now_s)
        allowance = self.leasing.allowance(found.token.grant)
        admitted = allowance.acquire_now(now_s) or await allowance.acquire(now_s)
        if not isinstance(admitted, Reservation):
            return await self._refuse(refusal(admitted, found), scope, send, allowance)
        report = Report(found.token.grant, admitted, request) if allowance.is_metered else None
        terms = Terms(
            loop=self.loop,
            now_s=now_s,
            token=found.token,
            allowance=allowance,
            reservation=admitted,
            timeouts=found.match.route.timeouts,
            own_host=found.match.own_host,
            has_body=head.has_body,
            cross_origin=head.origin,
            origin=self.config.origin,
            saying=self.saying,
            report=report,
        )
        exchange = Exchange(scope, receive, send, terms)
        self.watch.add(exchange)
        call = self._calling.call(request)
        try:
            send_call = call.send if report is None else report.sending(call.send)
            await exchange.run(exchange.converse(send_call))
        finally:
            self.watch.remove(exchange)
            call.end()
        if exchange.end is not End.COMPLETED:
            await self._tell(exchange, found, scope, send)
        return None

    async def _tell(self, exchange: Exchange, found: Identified, scope: Scope, send: Send) -> None:
        """The end of an exchange that did not complete, to whoever can still hear it."""
        end = exchange.end
        assert end is not None
        allowance = exchange.terms.allowance
        if end in REMEMBERED_ENDS:
            allowance.ended(end.value, time.time())
        if exchange.is_answered or end is End.CLIENT_GONE:
            return await exchange.farewell()
        problem = FOR_END[end]
        refusal = Refusal(
            problem,
            exchange.detail or problem.title,
            error=end.value,
            retry_after_s=1 if problem.status == 503 else None,
            route=found.match.route.id,
        )
        return await self._refuse(refusal, scope, send, allowance)

    async def _refuse(
        self, refusal: Refusal, scope: Scope, send: Send, allowance: Allowance | None = None
    ) -> None:
        reply = await self.challenge.reply(refusal, scope, self.routing.table)
        if allowance is not None:
            reply.headers.extend(limit_headers(allowance, time.time()))
        await answer(send, reply)

    def _preflight(self, scope: Scope, head: RequestHead) -> Reply | None:
        asked = header(scope["headers"], b"access-control-request-method")
        if not head.origin or asked is None:
            return None
        found = self.identifying.route(scope, head, asked)
        return None if isinstance(found, Refusal) else self.challenge.preflight(scope, found.route)

    async def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self.leasing.start()
        await self.routing.start(on_withdrawal=self._withdraw)
        self._watching = self.loop.create_task(self.watch.run())
        self._probing = self.loop.create_task(self._calling.probe(self._probed))

    async def stop(self) -> None:
        """Exchanges that the server did not let end are cut; then all leases go back."""
        self.watch.cut(End.CLOSING)
        await self.watch.until_empty(seconds=1.0)
        for task in filter(None, (self._watching, self._probing)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.routing.stop()
        await self.saying.stop()
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
