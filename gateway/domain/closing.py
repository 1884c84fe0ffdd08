"""How a WebSocket is told its end: RFC 6455's close codes, and three of the protocol's own."""

from typing import NamedTuple

from gateway.domain.errors import FOR_END
from gateway.domain.exchange import End

REASON_BYTES_MAX = 123

NORMAL, GOING_AWAY, TOO_BIG, GATE_FAULT = 1000, 1001, 1009, 1011
SERVER_RESTARTS, TRY_LATER, BAD_GATEWAY = 1012, 1013, 1014
NO_CODE, ABNORMAL = 1005, 1006
"""Never sent: a close without a code, and a connection that ended without a close."""
REVOKED, EXPIRED, EXHAUSTED = 4001, 4002, 4003

CODES = {
    End.EXPIRED: EXPIRED,
    End.TOKEN_EXPIRED: EXPIRED,
    End.REVOKED: REVOKED,
    End.EXHAUSTED: EXHAUSTED,
    End.OUTSIDE_SCHEDULE: EXHAUSTED,
    End.UPSTREAM_DROPPED: BAD_GATEWAY,
    End.UPSTREAM_INVALID: BAD_GATEWAY,
    End.UPSTREAM_TRUNCATED: BAD_GATEWAY,
    End.LEDGER_LOST: TRY_LATER,
    End.IDLE: GOING_AWAY,
    End.CLOSING: SERVER_RESTARTS,
    End.FAULT: GATE_FAULT,
}
"""What both sides of a running conversation are told."""

IDLE_REASON = "Neither side said anything for too long"


class Close(NamedTuple):
    code: int
    reason: str = ""


def close_for(end: End, detail: str) -> Close:
    if end is End.IDLE:
        return Close(CODES[end], IDLE_REASON)
    reason = detail or FOR_END[end].title
    return Close(CODES[end], reason.encode()[:REASON_BYTES_MAX].decode("utf-8", "ignore"))
