"""One proxied exchange: the states it goes through, every way it can end, and what each end costs.

    received ──admit──▶ admitted ──send──▶ sent ──answer──▶ answered
        │                   │                │                  │
        └───────────────────┴──────end───────┴──────────────────┴──▶ ended

What an end costs is looked up, never decided where it happens. Two rules fill the table:

* What reached the buyer, and what the buyer or the clock ended, is charged as it was served.
* What the upstream or the gate spoiled is not: without an answer, or with a 5xx, nothing; a body
  that broke off later costs the bytes that were delivered, not the call.

`charge: always` turns upstream failures into charged calls, but only those that may have reached
the upstream: an unreachable one never costs anything.
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    RECEIVED = "received"
    ADMITTED = "admitted"
    SENT = "sent"
    ANSWERED = "answered"
    ENDED = "ended"


class Step(StrEnum):
    ADMIT = "admit"
    SEND = "send"
    ANSWER = "answer"
    END = "end"


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.RECEIVED: {Step.ADMIT: State.ADMITTED, Step.END: State.ENDED},
    State.ADMITTED: {Step.SEND: State.SENT, Step.END: State.ENDED},
    State.SENT: {Step.ANSWER: State.ANSWERED, Step.END: State.ENDED},
    State.ANSWERED: {Step.END: State.ENDED},
    State.ENDED: {},
}


class End(StrEnum):
    COMPLETED = "completed"

    UPSTREAM_UNREACHABLE = "upstream_unreachable"  # No connection, or to no allowed address.
    UPSTREAM_DROPPED = "upstream_dropped"  # Connected, then closed without an answer.
    UPSTREAM_SILENT = "upstream_silent"  # No answer within first_byte_ms.
    UPSTREAM_INVALID = "upstream_invalid"  # Something that is not HTTP.
    UPSTREAM_ERROR = "upstream_error"  # A whole answer with 5xx.
    UPSTREAM_TRUNCATED = "upstream_truncated"  # The body broke off.
    UPSTREAM_STALLED = "upstream_stalled"  # The body stood still for idle_ms.

    REQUEST_MALFORMED = "request_malformed"  # Framing that no upstream request can be made of.
    REQUEST_STALLED = "request_stalled"  # Nothing more of its body for as long as a guard waits.
    BODY_TOO_LARGE = "body_too_large"  # It outgrew its route's guard.
    CLIENT_GONE = "client_gone"
    DEADLINE = "deadline"  # The client's own, which gRPC calls carry.

    EXPIRED = "expired"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of an end
    REVOKED = "revoked"
    EXHAUSTED = "exhausted"
    OUTSIDE_SCHEDULE = "outside_schedule"

    LEDGER_UNAVAILABLE = "ledger_unavailable"  # Before anything was sent.
    LEDGER_LOST = "ledger_lost"  # In a running body, of either direction.
    IDLE = "idle"  # Neither side of a WebSocket said anything for idle_ms.
    CLOSING = "closing"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Bill:
    calls: bool
    """Calls and credits that were reserved become charged, else they go back."""
    bytes: bool
    """Body bytes that were taken stay charged, else they go back."""


NOTHING = Bill(calls=False, bytes=False)
BYTES = Bill(calls=False, bytes=True)
ALL = Bill(calls=True, bytes=True)

BILLS: dict[End, tuple[Bill, Bill]] = {
    # end: (charge on success, charge always)
    End.COMPLETED: (ALL, ALL),
    End.UPSTREAM_UNREACHABLE: (NOTHING, NOTHING),
    End.UPSTREAM_DROPPED: (NOTHING, ALL),
    End.UPSTREAM_SILENT: (NOTHING, ALL),
    End.UPSTREAM_INVALID: (NOTHING, ALL),
    End.UPSTREAM_ERROR: (NOTHING, ALL),
    End.UPSTREAM_TRUNCATED: (BYTES, ALL),
    End.UPSTREAM_STALLED: (BYTES, ALL),
    End.REQUEST_MALFORMED: (NOTHING, NOTHING),
    End.REQUEST_STALLED: (ALL, ALL),
    End.BODY_TOO_LARGE: (ALL, ALL),
    End.CLIENT_GONE: (ALL, ALL),
    End.DEADLINE: (ALL, ALL),
    End.EXPIRED: (ALL, ALL),
    End.TOKEN_EXPIRED: (ALL, ALL),
    End.REVOKED: (ALL, ALL),
    End.EXHAUSTED: (ALL, ALL),
    End.OUTSIDE_SCHEDULE: (ALL, ALL),
    End.LEDGER_UNAVAILABLE: (NOTHING, NOTHING),
    End.LEDGER_LOST: (BYTES, BYTES),
    End.IDLE: (ALL, ALL),
    End.CLOSING: (BYTES, BYTES),
    End.FAULT: (BYTES, BYTES),
}


UPSTREAM_FAILURES = frozenset(end for end in End if end.startswith("upstream_"))
UNSENT = frozenset({State.RECEIVED, State.ADMITTED})


class IllegalStep(Exception):
    """A bug: names the step and the state it was tried in."""


def advance(state: State, step: Step) -> State:
    try:
        return TRANSITIONS[state][step]
    except KeyError:
        raise IllegalStep(f"cannot {step} an exchange that is {state}") from None


def bill(end: End, *, state: State, status: int | None, always: bool) -> Bill:
    """What an exchange costs that ended by `end` in `state`, having got `status`."""
    if state in UNSENT:
        return NOTHING  # Nothing was sent, whoever is to blame.
    if status is not None and status >= 500:
        end = End.UPSTREAM_ERROR  # A 5xx costs the same however its body ended.
    return BILLS[end][always]
