"""What was done under a grant, or refused, added up by the minute.

A `Line` counts one grant on one route (or, without a grant, what was refused on it) within one
minute. Lines are added to each other, in whatever order and by whatever node: all figures are sums.
Beside the sums a line keeps its latest calls, a bounded number of them.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MINUTE_S = 60
RECENT_MAX = 20
"""Calls remembered one by one of each grant."""

LATENCY_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)
"""Upper bounds of the histogram's buckets; the last bucket has none."""
BUCKETS = len(LATENCY_MS) + 1
LATENCY_S = tuple(bound / 1_000 for bound in LATENCY_MS)


class Call(NamedTuple):
    """One call as it ended."""

    at_s: float
    method: str
    path: str
    status: int | None
    """The upstream's; None where it gave none."""
    end: str
    bytes_up: int
    bytes_down: int
    credits: int
    messages: int
    answered_in_s: float | None
    """From the admission to the first byte of the answer."""
    upstream_failed: bool
    token: str | None = None
    """The id that the client gave its access token."""


Fields = tuple[float, str, str, int | None, str, int, int, int, int, float | None, bool, str | None]
"""Those of a Call, in their order: a plain tuple is made in a third of the time."""
Whose = tuple[str, str, int]
"""A grant's id, or nothing, a route's, and its provider's."""
NOBODYS: Whose = ("", "", 0)


class Key(NamedTuple):
    minute: int
    """Unix time by 60."""
    grant_id: str
    """Empty: calls that no valid token came with."""
    route_id: str
    provider: int
    """Who sold it then: route ids may pass to somebody else."""


@dataclass(slots=True)
class Line:
    calls: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    credits: int = 0
    messages: int = 0
    upstream_failures: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    refusals: dict[str, int] = field(default_factory=dict)
    last: deque[Fields] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))

    @property
    def recent(self) -> list[Call]:
        return [Call._make(fields) for fields in self.last]

    def called(self, call: Fields) -> None:
        _, _, _, _, _, up, down, cost, messages, seconds, failed, _ = call
        self.calls += 1
        self.bytes_down += down
        if up:
            self.bytes_up += up
        if cost:
            self.credits += cost
        if messages:
            self.messages += messages
        if failed:
            self.upstream_failures += 1
        if seconds is not None:
            self.latencies[bisect_left(LATENCY_S, seconds)] += 1
        self.last.append(call)

    def refused(self, reason: str, times: int = 1) -> None:
        self.refusals[reason] = self.refusals.get(reason, 0) + times

    def add(self, other: "Line") -> None:
        self.calls += other.calls
        self.bytes_up += other.bytes_up
        self.bytes_down += other.bytes_down
        self.credits += other.credits
        self.messages += other.messages
        self.upstream_failures += other.upstream_failures
        self.latencies = added(self.latencies, other.latencies)
        self.refusals = summed(self.refusals, other.refusals)
        self.last.extend(other.last)


def added(some: Sequence[int], more: Sequence[int]) -> list[int]:
    """Histograms, also of a version that knew other buckets: what is missing counts as 0."""
    longer, shorter = (some, more) if len(some) >= len(more) else (more, some)
    return [*map(sum, zip(longer, shorter, strict=False)), *longer[len(shorter) :]]


def summed(some: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: some.get(name, 0) + more.get(name, 0) for name in sorted({*some, *more})}


def newest(lines: Sequence[Line], most: int) -> list[list[Call]]:
    """Of each line's latest calls as many as all may have within `most`, evenly."""
    each, left = max(1, most // max(1, len(lines))), most
    kept = []
    for line in lines:
        taken = min(each, left, len(line.last))
        left -= taken
        kept.append(line.recent[len(line.last) - taken :])
    return kept
