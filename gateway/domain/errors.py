"""What the gate says when it does not serve: each situation's status and problem type (RFC 9457).

A refusal is a value: a `Problem`, and a sentence about this case. A fault is an exception:

    GateFault
    └── UpstreamFault    the upstream did not do its part; its `end` says how
"""

import json
from dataclasses import dataclass, field

from gateway.domain.exchange import End


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    slug: str
    title: str


PAYMENT_REQUIRED = Problem(402, "payment-required", "This route is sold by the grant")
GRANT_EXPIRED = Problem(402, "grant-expired", "The grant has ended")
QUOTA_EXHAUSTED = Problem(402, "quota-exhausted", "The grant is used up")

INVALID_TOKEN = Problem(401, "invalid-token", "The token is not valid here")
REVOKED = Problem(401, "token-revoked", "The token was revoked")
TOKEN_EXPIRED = Problem(401, "token-expired", "The access token has expired")

OUT_OF_SCOPE = Problem(403, "out-of-scope", "The token is for something else")
WINDOW_EXHAUSTED = Problem(429, "window-exhausted", "Used up until the next window")
RATE_EXCEEDED = Problem(429, "rate-exceeded", "Too many calls in too short a time")
TOO_MANY_AT_ONCE = Problem(429, "too-many-at-once", "Too many calls at a time")
OUTSIDE_SCHEDULE = Problem(429, "outside-schedule", "The grant does not work at this hour")
TOO_MANY_FROM_HERE = Problem(429, "too-many-from-here", "Too many calls from one address")
ROUTE_BUSY = Problem(429, "route-busy", "The route has as much to do as it takes")

MALFORMED_REQUEST = Problem(400, "malformed-request", "The request cannot be passed on")
AMBIGUOUS_PATH = Problem(400, "ambiguous-path", "The path can be read in two ways")
ROUTE_NOT_FOUND = Problem(404, "route-not-found", "There is no such route")
BODY_TOO_LARGE = Problem(413, "body-too-large", "The body is too large")
REQUEST_STALLED = Problem(408, "request-stalled", "The request body did not arrive")

DEADLINE_EXCEEDED = Problem(408, "deadline-exceeded", "The call's own deadline has passed")

UPSTREAM_UNREACHABLE = Problem(502, "upstream-unreachable", "The API could not be reached")
UPSTREAM_INVALID = Problem(502, "upstream-invalid", "The API's answer cannot be passed on")
UPSTREAM_SILENT = Problem(504, "upstream-silent", "The API did not answer in time")

LEDGER_UNAVAILABLE = Problem(503, "ledger-unavailable", "The quota cannot be counted now")
KEYS_UNAVAILABLE = Problem(503, "keys-unavailable", "The token cannot be checked now")
GATE_CLOSING = Problem(503, "gate-closing", "This server is going away")
GATE_FAULT = Problem(500, "gate-fault", "The gate failed")

PROBLEMS = tuple(value for value in list(globals().values()) if isinstance(value, Problem))

FOR_END = {
    End.UPSTREAM_UNREACHABLE: UPSTREAM_UNREACHABLE,
    End.UPSTREAM_DROPPED: UPSTREAM_UNREACHABLE,
    End.UPSTREAM_SILENT: UPSTREAM_SILENT,
    End.UPSTREAM_INVALID: UPSTREAM_INVALID,
    End.UPSTREAM_TRUNCATED: UPSTREAM_INVALID,
    End.UPSTREAM_STALLED: UPSTREAM_SILENT,
    End.REQUEST_MALFORMED: MALFORMED_REQUEST,
    End.REQUEST_STALLED: REQUEST_STALLED,
    End.BODY_TOO_LARGE: BODY_TOO_LARGE,
    End.DEADLINE: DEADLINE_EXCEEDED,
    End.EXPIRED: GRANT_EXPIRED,
    End.TOKEN_EXPIRED: TOKEN_EXPIRED,
    End.REVOKED: REVOKED,
    End.EXHAUSTED: QUOTA_EXHAUSTED,
    End.OUTSIDE_SCHEDULE: OUTSIDE_SCHEDULE,
    End.LEDGER_UNAVAILABLE: LEDGER_UNAVAILABLE,
    End.LEDGER_LOST: LEDGER_UNAVAILABLE,
    End.CLOSING: GATE_CLOSING,
    End.FAULT: GATE_FAULT,
}
"""What a client is told about each end that it can be told about."""


class GateFault(Exception):
    """Something that the exchange needed did not work; `end` says how it ends by it."""

    def __init__(self, end: End, detail: str) -> None:
        super().__init__(detail)
        self.end = end
        self.detail = detail


class UpstreamFault(GateFault):
    pass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this request is not served, in full: what the answer is made of."""

    problem: Problem
    detail: str
    error: str | None = None
    """The `error` parameter of WWW-Authenticate, where a credential was at fault."""
    retry_after_s: int | None = None
    route: str | None = None
    """The route that can be bought, where that would help."""
    grant_id: str = field(default="", compare=False)
    """Whose token it was; empty: a stranger's."""


def problem_document(problem: Problem, *, origin: str, detail: str) -> dict[str, object]:
    return {
        "type": f"{origin}/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }


def problem_body(problem: Problem, *, origin: str, detail: str) -> bytes:
    return json.dumps(problem_document(problem, origin=origin, detail=detail)).encode()
