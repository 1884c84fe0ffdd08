"""What one exchange was admitted on: by whom, what it may take and until when; and its bill."""

import time
from collections.abc import Awaitable, Iterable

from gateway.asgi import Headers, Scope, lines_of
from gateway.domain.answers import SANDBOX, consumed
from gateway.domain.exchange import ALL, End, State, bill
from gateway.domain.headers import Pair, header
from gateway.domain.references import References
from gateway.domain.routes import Timeouts
from gateway.domain.tokens import AccessToken, Charge
from gateway.guarding import Pass
from gateway.identifying import Identified
from gateway.reporting import Report
from gateway.reservations import Reservation
from gateway.saying import Saying
from gateway.spending import Allowance

SANDBOX_LINES = lines_of(SANDBOX)
COMPLETED = End.COMPLETED
ERROR_MIN = 500


class Terms:
    reservation: Reservation
    report: Report | None = None
    passed: Pass | None = None
    """Where the route is guarded."""

    def __init__(
        self, found: Identified, allowance: Allowance, saying: Saying, now_s: float
    ) -> None:
        self.found = found
        self.allowance = allowance
        self._saying = saying
        self.now_s = now_s
        """When it was admitted, by the wall clock."""

    @property
    def token(self) -> AccessToken:
        return self.found.token

    @property
    def timeouts(self) -> Timeouts:
        return self.found.match.route.timeouts

    @property
    def own_host(self) -> bool:
        return self.found.match.own_host

    @property
    def idle_ms(self) -> int | None:
        return None if self.passed is None else self.passed.idle_ms

    @property
    def body_bytes_max(self) -> int | None:
        return None if self.passed is None else self.passed.body_bytes_max

    def ends_in(self) -> tuple[float, End]:
        """Seconds from the admission to the end of what was bought, and which end that is."""
        allowance, end = self.allowance, End.EXPIRED
        ends_at_s, client_ends_at_s = allowance.ends_at_s, self.token.client_expires_at
        if allowance.standing is not None:
            closes_at_s = allowance.standing.closes_at_s(self.now_s)
            if closes_at_s < ends_at_s:
                ends_at_s, end = closes_at_s, End.OUTSIDE_SCHEDULE
        if client_ends_at_s is not None and client_ends_at_s < ends_at_s:
            ends_at_s, end = client_ends_at_s, End.TOKEN_EXPIRED
        return ends_at_s - self.now_s, end

    def headers(self) -> Headers:
        """For the answer: what is left, and until when."""
        return self.allowance.headers(time.time())

    def lines(self) -> bytes:
        """The same as whole lines, and the sandbox where it belongs."""
        lines = self.allowance.telling.lines(time.time(), self.allowance.ends_at_s)
        return lines if self.found.match.own_host else SANDBOX_LINES + lines

    def rewritten(self, addresses: Iterable[Pair], scope: Scope) -> Headers:
        """The upstream's own addresses in an answer's headers, as they are at the gate."""
        match, host = self.found.match, header(scope["headers"], b"host") or ""
        return References(match.service.cluster, match.prefix, host, match.path).headers(addresses)

    def adjust(self, text: str) -> Awaitable[None]:
        return self._saying.adjust(self.token.grant, text)

    def settle(self, end: End, state: State, status: int | None, said: str | None) -> None:
        """Once: what the exchange costs that ended so. `said`: the upstream's word on it."""
        reservation, grant = self.reservation, self.found.token.grant
        is_plain = said is None and self.report is None
        if is_plain and end is COMPLETED and status is not None and status < ERROR_MIN:
            reservation.settle_call()  # As the table says, and most exchanges end so.
            return
        cost = bill(end, state=state, status=status, always=grant.charge is Charge.ALWAYS)
        if cost is ALL and is_plain:
            reservation.settle_call()
        elif not (cost.calls or cost.bytes):
            reservation.settle(charged=False)
        elif not cost.calls:
            reservation.settle(charged=True, credits=0, calls=0)
        elif said is None:
            reservation.settle(charged=True, count=self.report.count() if self.report else None)
        else:
            figures = consumed(said)
            clamped = reservation.settle(
                charged=True,
                credits=figures.get("credits"),
                calls=figures.get("calls", 1),
                said=figures,
            )
            if clamped:
                self._saying.clamped(grant.id)
