"""Which destination of a service a call goes to, and which are left alone for a while.

A destination is *closed* (used), *ejected* until some time, or *on trial*: when that time is over
one call, and one only, may try it; its outcome closes it, or ejects it for twice as long. What
cannot be connected to is ejected sooner than what answers 5xx, and differently:

* nobody is sent to a destination whose connections fail until its time is over: when all are like
  that, the call is refused at once instead of waiting for one more connection;
* one that answers 5xx, or fails its health check, is passed over only while there is another: a
  buyer who provokes errors, or a health path that is wrong, must not take a service away.

The turn is kept by smooth weighted round robin: each gains its weight, the richest is chosen and
pays the sum of all weights. With equal weights that is round robin.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

CONNECT_FAILURES_MAX = 2
ERRORS_MAX = 5
EJECTION_SECONDS = 0.5
EJECTION_SECONDS_MAX = 4.0

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110 section 9.2.2."""

RETRIES_SAVED_MAX = 100.0
RETRIES_PER_CALL = 0.2
RETRIES_PER_SECOND = 10.0


class Way(StrEnum):
    ROUND_ROBIN = "round_robin"
    LEAST_REQUESTS = "least_requests"
    WEIGHTED = "weighted"


class Outcome(StrEnum):
    SERVED = "served"
    FAILED = "failed"  # A 5xx, no answer, or nothing that is HTTP.
    UNREACHABLE = "unreachable"  # No connection: nothing was sent.
    UNKNOWN = "unknown"  # The call was given up before anything could be said.


@dataclass(slots=True)
class Destination:
    """What is known of one destination, and what runs there now."""

    weight: int = 1
    running: int = 0
    credit: int = 0
    failures: int = 0
    """Of the last kind, in a row."""
    unreachable: bool = False
    """The kind: its connections failed."""
    ejections: int = 0
    """In a row."""
    ejected_until: float | None = None
    on_trial: bool = False
    is_down: bool = False
    """By its health check."""
    probes: int = 0
    """In a row, that say otherwise than `is_down`."""

    def is_closed(self) -> bool:
        return self.ejected_until is None

    def awaits_trial(self, now: float) -> bool:
        return self.ejected_until is not None and now >= self.ejected_until and not self.on_trial

    def is_cut_off(self, now: float) -> bool:
        return self.unreachable and not self.is_closed() and not self.awaits_trial(now)

    def begin(self, now: float) -> bool:
        """Whether this call is the trial; `report` is told so."""
        self.running += 1
        is_trial = self.awaits_trial(now)
        self.on_trial |= is_trial
        return is_trial

    def end(self) -> None:
        self.running -= 1

    def report(self, outcome: Outcome, now: float, *, is_trial: bool = False) -> None:
        if is_trial:
            self.on_trial = False
        if outcome is Outcome.UNKNOWN:
            return
        if outcome is Outcome.SERVED:
            self.failures = self.ejections = 0
            self.unreachable, self.ejected_until = False, None
            return
        unreachable = outcome is Outcome.UNREACHABLE
        self.failures = self.failures + 1 if unreachable is self.unreachable else 1
        self.unreachable = unreachable
        enough = CONNECT_FAILURES_MAX if unreachable else ERRORS_MAX
        if is_trial or (self.is_closed() and self.failures >= enough):
            pause = min(EJECTION_SECONDS * 2.0**self.ejections, EJECTION_SECONDS_MAX)
            self.ejections = min(self.ejections + 1, 16)
            self.ejected_until = now + pause

    def probed(self, *, well: bool, healthy_after: int, unhealthy_after: int) -> None:
        if well is not self.is_down:
            self.probes = 0
            return
        self.probes += 1
        if self.probes >= (healthy_after if well else unhealthy_after):
            self.is_down, self.probes = not well, 0


def choose(
    destinations: Sequence[Destination], way: Way, now: float, tried: Collection[int] = ()
) -> int | None:
    """The destination for the next attempt of a call; None: there is none worth an attempt."""
    left = [number for number in range(len(destinations)) if number not in tried]
    reachable = [number for number in left if not destinations[number].is_cut_off(now)]
    good = [
        number
        for number in reachable
        if not (each := destinations[number]).is_down
        and (each.is_closed() or each.awaits_trial(now))
    ]
    usable = good or reachable
    if not usable:
        return None
    if way is Way.LEAST_REQUESTS:
        usable = _least_busy(destinations, usable)
    return _next_in_turn(destinations, usable, weighted=way is not Way.ROUND_ROBIN)


def _least_busy(destinations: Sequence[Destination], usable: list[int]) -> list[int]:
    """By what would run for each unit of weight, in whole numbers."""
    first = destinations[usable[0]]
    running, weight = first.running + 1, first.weight
    for number in usable[1:]:
        each = destinations[number]
        if (each.running + 1) * weight < running * each.weight:
            running, weight = each.running + 1, each.weight
    return [
        number
        for number in usable
        if (destinations[number].running + 1) * weight == running * destinations[number].weight
    ]


def _next_in_turn(destinations: Sequence[Destination], usable: list[int], *, weighted: bool) -> int:
    total = 0
    for number in usable:
        each = destinations[number]
        gain = each.weight if weighted else 1
        each.credit += gain
        total += gain
    chosen = max(usable, key=lambda number: (destinations[number].credit, -number))
    destinations[chosen].credit -= total
    return chosen


def may_retry(outcome: Outcome, method: str, *, has_body: bool) -> bool:
    """Whether a failed attempt can be repeated elsewhere without anything happening twice."""
    if outcome is Outcome.UNREACHABLE:
        return True
    return outcome is Outcome.FAILED and method in IDEMPOTENT and not has_body


@dataclass(slots=True)
class RetryBudget:
    """Retries are paid from what calls, and time, put aside: a failing API is not asked twice for
    everything."""

    saved: float = RETRIES_SAVED_MAX
    at: float = field(default=0.0)

    def called(self) -> None:
        self.saved = min(self.saved + RETRIES_PER_CALL, RETRIES_SAVED_MAX)

    def takes(self, now: float) -> bool:
        self.saved = min(
            self.saved + max(0.0, now - self.at) * RETRIES_PER_SECOND, RETRIES_SAVED_MAX
        )
        self.at = now
        if self.saved < 1.0:
            return False
        self.saved -= 1.0
        return True
