"""What can go wrong on a network, to be switched on and off.

A fault that is on strikes until it is switched off, or as many times as was asked for. What it
strikes, a request or a ledger, is its own matter: the table says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Fault(StrEnum):
    TRY_AGAIN_LATER = "try-again-later"
    DUPLICATE = "duplicate"
    DROPPED = "dropped"
    FAILED = "failed"
    SURGE = "surge"
    BAD_SEQUENCE = "bad-sequence"
    SLOW_CLOSE = "slow-close"
    TIMEOUT = "timeout"
    ANSWER_LOST = "answer-lost"
    INTERNAL_ERROR = "internal-error"
    STALE = "stale"
    SHORT_MEMORY = "short-memory"
    EVENT_GAP = "event-gap"
    EVENTS_TWICE = "events-twice"


STRIKES: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.TRY_AGAIN_LATER: "a send: answered TRY_AGAIN_LATER, not taken",
        Fault.DUPLICATE: "a send: taken, but answered DUPLICATE",
        Fault.DROPPED: "a send: answered PENDING, then forgotten",
        Fault.FAILED: "a contract call in a ledger: FAILED for want of resources, its fee is gone",
        Fault.SURGE: "a send: refused with txINSUFFICIENT_FEE",
        Fault.BAD_SEQUENCE: "a send: refused with txBAD_SEQ",
        Fault.SLOW_CLOSE: "a close: left out, four of five",
        Fault.TIMEOUT: "a request: 504, and nothing was done",
        Fault.ANSWER_LOST: "a request: done, and then answered 504",
        Fault.INTERNAL_ERROR: "a request: JSON-RPC error -32603",
        Fault.STALE: "a ledger: closed unseen, answers stay those of the moment it was switched on",
        Fault.SHORT_MEMORY: "a ledger: only the last three are remembered",
        Fault.EVENT_GAP: "a page of events: its events are left out, its cursor goes on",
        Fault.EVENTS_TWICE: "a page of events: each is told twice",
    }
)
ALWAYS = None


@dataclass(slots=True)
class Faults:
    left: dict[Fault, int | None] = field(default_factory=dict)
    """How many times those that are on will strike yet; `ALWAYS` while they are on."""

    def switch_on(self, fault: Fault, times: int | None = ALWAYS) -> None:
        self.left[fault] = times

    def switch_off(self, fault: Fault) -> None:
        self.left.pop(fault, None)

    def is_on(self, fault: Fault) -> bool:
        return fault in self.left

    def strikes(self, fault: Fault) -> bool:
        """Whether it strikes here and now; then it has."""
        if fault not in self.left:
            return False
        left = self.left[fault]
        if left is not ALWAYS:
            self.left[fault] = left - 1
            if left <= 1:
                del self.left[fault]
        return True
