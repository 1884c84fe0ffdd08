"""Which route is asked for, and by whose token: the first step of every exchange. Never waits.

A token's signatures are checked once and remembered by the presented string. So is what a token may
call: the answer to one token, host, method and path holds until the token begins or ends, and until
routing has heard of any change.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from urllib.parse import quote

from gateway.asgi import Scope, client_address
from gateway.domain import errors
from gateway.domain.chronicle import Whose
from gateway.domain.errors import Problem, Refusal
from gateway.domain.grants import Grant
from gateway.domain.headers import Pair, RequestHead
from gateway.domain.routes import PATH_KEPT_BYTES_MAX, Ambiguous, Match, NoRoute, RouteTable
from gateway.domain.tokens import AccessToken, Reason, Refused, admit, read, steady
from gateway.guarding import Guarding
from gateway.routing import Routing

RETRY_AFTER_S = 1
TAIL_CHARS = 40
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
UNCHECKED = Refusal(
    errors.TOO_MANY_FROM_HERE,
    "Too many tokens from this address were not valid; this one was not looked at.",
    retry_after_s=RETRY_AFTER_S,
)
REVOKED = Refused(Reason.REVOKED, "This token was revoked.")
NOWHERE = Refusal(errors.ROUTE_NOT_FOUND, "No route answers to this method and path.")
MISNAMED = Refusal(errors.MALFORMED_REQUEST, "The Host is none, or named in two ways.")


@dataclass(frozen=True, slots=True)
class Identified:
    """A token that may call what was asked for."""

    match: Match
    token: AccessToken
    identity: tuple[Pair, ...]
    """What the upstream is told of it."""
    method: str
    whose: Whose
    revision: int
    since_s: float
    until_s: float


class Identifying:
    def __init__(self, routing: Routing, guarding: Guarding, *, tokens_kept: int) -> None:
        self._routing = routing
        self._guarding = guarding
        self._tokens_kept = tokens_kept
        self._tokens: OrderedDict[str, AccessToken] = OrderedDict()
        self._answers: dict[tuple[str | None, str, bytes, str], Identified] = {}
        """By the token's tail, which is a signature: a whole token is long to hash.
        As many as tokens; forgotten all at once when full, which costs no call anything."""

    def route(self, scope: Scope, head: RequestHead, method: str) -> Match | Refusal:
        table = self._routing.table
        if table is None:
            return NO_TABLE
        if head.is_misnamed:
            return MISNAMED
        if method in NEVER_PASSED:
            return NOWHERE
        match table.match(head.host, _raw_path(scope), method):
            case Match() as found:
                return found
            case NoRoute():
                return NOWHERE
            case Ambiguous(detail):
                return Refusal(errors.AMBIGUOUS_PATH, detail)

    def identify(self, scope: Scope, head: RequestHead, now_s: float) -> Identified | Refusal:
        table = self._routing.table
        host = table.own_host(head.host) if table is not None and table.hosts else ""
        presented = head.token
        tail = None if presented is None else presented[-TAIL_CHARS:]
        asked = (tail, host, scope.get("raw_path") or _raw_path(scope), scope["method"])
        known = self._answers.get(asked)
        if (
            known is not None
            and known.token.key == presented
            and not head.is_misnamed
            and known.revision == self._routing.revision
            and known.since_s <= now_s < known.until_s
        ):
            return known
        found = self._identify(scope, head, now_s)
        if isinstance(found, Identified) and len(asked[2]) <= PATH_KEPT_BYTES_MAX:
            if len(self._answers) >= self._tokens_kept:
                self._answers.clear()
            self._answers[asked] = found
        return found

    def _identify(self, scope: Scope, head: RequestHead, now_s: float) -> Identified | Refusal:
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
        token = self._read(presented, table, client_address(scope))
        if token is None:
            return replace(UNCHECKED, route=found.route.id)
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
            refused = REVOKED
        if refused is not None:
            return self._refusal(refused, found, token.grant)
        return self._answer(found, token, method)

    def withdrawn(self, found: Identified) -> Refusal | None:
        """Of what was found before a wait: the news of which may have come meanwhile."""
        routing = self._routing
        if found.revision == routing.revision or not routing.is_withdrawn(found.token):
            return None
        return self._refusal(REVOKED, found.match, found.token.grant)

    def _answer(self, match: Match, token: AccessToken, method: str) -> Identified:
        grant = token.grant
        identity = (
            ("apicharge-grant", grant.id),
            ("apicharge-buyer", grant.buyer),
            ("apicharge-route", match.route.id),
        )
        since_s, until_s = steady(token)
        whose = (grant.id, match.route.id, match.route.provider)
        revision = self._routing.revision
        return Identified(match, token, identity, method, whose, revision, since_s, until_s)

    def _read(
        self, presented: str, table: RouteTable, address: str
    ) -> AccessToken | Refused | None:
        """None: it is not worth checking."""
        token = self._tokens.get(presented)
        if token is not None:
            self._tokens.move_to_end(presented)
            return token
        if not self._guarding.may_try(address):
            return None
        fresh = read(presented, table.keys)
        if isinstance(fresh, AccessToken):
            self._tokens[presented] = fresh
            if len(self._tokens) > self._tokens_kept:
                self._tokens.popitem(last=False)
        else:
            self._guarding.forged(address)
        return fresh

    def _refusal(self, refused: Refused, found: Match, grant: Grant | None = None) -> Refusal:
        if refused.reason is Reason.UNKNOWN_KEY and not self._routing.is_fresh():
            return UNKNOWN_FOR_NOW
        problem = PROBLEMS[refused.reason]
        error = refused.reason.value
        if problem is errors.TOKEN_EXPIRED:
            error = Reason.TOKEN_EXPIRED.value  # Too early is mended as too late is: by a new one.
        return Refusal(
            problem,
            refused.detail,
            error=error,
            route=found.route.id,
            grant_id="" if grant is None else grant.id,
        )


def _raw_path(scope: Scope) -> bytes:
    raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw_path
