"""Which route is asked for, and by whose token: the first step of every exchange. Never waits.

A token's signatures are checked once and remembered by the presented string; what time, revocation
and scope say is asked each time.
"""

from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote

from gateway.asgi import Scope
from gateway.domain import errors
from gateway.domain.errors import Problem, Refusal
from gateway.domain.headers import RequestHead
from gateway.domain.routes import Ambiguous, Match, NoRoute, RouteTable
from gateway.domain.tokens import AccessToken, Reason, Refused, admit, read
from gateway.routing import Routing

RETRY_AFTER_S = 1
# They make an upstream repeat what it was sent, our identity headers included.
NEVER_PASSED = frozenset({"TRACE", "TRACK", "CONNECT"})

PROBLEMS: dict[Reason, Problem] = {
    Reason.MALFORMED: errors.INVALID_TOKEN,
    Reason.BAD_SIGNATURE: errors.INVALID_TOKEN,
    Reason.UNKNOWN_KEY: errors.INVALID_TOKEN,
    Reason.WRONG_AUDIENCE: errors.INVALID_TOKEN,
    Reason.GRANT_NOT_YET_VALID: errors.INVALID_TOKEN,
    Reason.WRONG_GRANT: errors.INVALID_TOKEN,
    Reason.REVOKED: errors.REVOKED,
    Reason.TOKEN_EXPIRED: errors.TOKEN_EXPIRED,
    Reason.TOKEN_NOT_YET_VALID: errors.TOKEN_EXPIRED,
    Reason.GRANT_EXPIRED: errors.GRANT_EXPIRED,
    Reason.WRONG_ROUTE: errors.OUT_OF_SCOPE,
    Reason.WRONG_METHOD: errors.OUT_OF_SCOPE,
    Reason.WRONG_PATH: errors.OUT_OF_SCOPE,
    Reason.WRONG_ACT: errors.OUT_OF_SCOPE,
}
NO_TABLE = Refusal(
    errors.KEYS_UNAVAILABLE, "The gate has no routes yet.", retry_after_s=RETRY_AFTER_S
)
UNKNOWN_FOR_NOW = Refusal(
    errors.KEYS_UNAVAILABLE,
    "The token's key is not known here, and newer keys cannot be read now.",
    retry_after_s=RETRY_AFTER_S,
)
NOWHERE = Refusal(errors.ROUTE_NOT_FOUND, "No route answers to this method and path.")


@dataclass(slots=True)
class Identified:
    match: Match
    token: AccessToken


class Identifying:
    def __init__(self, routing: Routing, *, tokens_kept: int) -> None:
        self._routing = routing
        self._tokens_kept = tokens_kept
        self._tokens: OrderedDict[str, AccessToken] = OrderedDict()

    def route(self, scope: Scope, head: RequestHead, method: str) -> Match | Refusal:
        table = self._routing.table
        if table is None:
            return NO_TABLE
        if method in NEVER_PASSED:
            return NOWHERE
        raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
        match table.match(head.host if table.hosts else "", raw_path, method):
            case Match() as found:
                return found
            case NoRoute():
                return NOWHERE
            case Ambiguous(detail):
                return Refusal(errors.AMBIGUOUS_PATH, detail)

    def identify(self, scope: Scope, head: RequestHead, now_s: float) -> Identified | Refusal:
        method = scope["method"]
        found = self.route(scope, head, method)
        if isinstance(found, Refusal):
            return found
        presented, table = head.token, self._routing.table
        assert table is not None
        if presented is None:
            return Refusal(
                errors.PAYMENT_REQUIRED, "No access token was presented.", route=found.route.id
            )
        token = self._read(presented, table)
        if isinstance(token, Refused):
            return self._refusal(token, found)
        refused = admit(
            token,
            issuer=table.issuer,
            route=found.route.id,
            method=method,
            path=found.path,
            now_s=now_s,
        )
        if refused is None and self._routing.is_withdrawn(token):
            refused = Refused(Reason.REVOKED, "This token was revoked.")
        if refused is not None:
            return self._refusal(refused, found)
        return Identified(found, token)

    def _read(self, presented: str, table: RouteTable) -> AccessToken | Refused:
        token = self._tokens.get(presented)
        if token is not None:
            self._tokens.move_to_end(presented)
            return token
        fresh = read(presented, table.keys)
        if isinstance(fresh, AccessToken):
            self._tokens[presented] = fresh
            if len(self._tokens) > self._tokens_kept:
                self._tokens.popitem(last=False)
        return fresh

    def _refusal(self, refused: Refused, found: Match) -> Refusal:
        if refused.reason is Reason.UNKNOWN_KEY and not self._routing.is_fresh():
            return UNKNOWN_FOR_NOW
        problem = PROBLEMS[refused.reason]
        error = refused.reason.value
        if problem is errors.TOKEN_EXPIRED:
            error = Reason.TOKEN_EXPIRED.value  # Too early is mended as too late is: by a new one.
        return Refusal(problem, refused.detail, error=error, route=found.route.id)
