"""Limits that refill by themselves: how they are described, and how they are counted.

Every algorithm is a function of (state, cost, now). The state is changed in place; the clock is an
argument, in whole microseconds. The Lua scripts of gateway/ledgers/lua do the same arithmetic on
Redis; tests/vectors/rates.json holds both to it.

A rate without `burst` is exact: no window of `window_seconds`, wherever it begins, sees more than
`count`. What was admitted is remembered in groups of a 64th of a window, each of which leaves when
its last call does, so the memory is bounded and at most a 64th of a window is lost. With `burst` a
rate is a bucket of that size, which refills evenly.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from gateway.domain.fields import (
    Directed,
    Fields,
    LimitError,
    byte_words,
    counted,
    each_window,
)

SECOND_US = 1_000_000
GROUPS = 64
NEARLY = 1e-6  # A unit that only the rounding of floating point keeps back has refilled.


@dataclass(frozen=True, slots=True)
class Rate:
    kind: ClassVar[str] = "rate"
    unit: ClassVar[str] = "requests"

    count: int
    window_seconds: int
    burst: int | None = None

    @property
    def total(self) -> int:
        return self.burst or self.count

    @property
    def name(self) -> str:
        return self.kind

    def terms(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "count": self.count,
            "window_seconds": self.window_seconds,
            "burst": self.burst,
        }

    def words(self) -> str:
        burst = "" if self.burst is None else f", {self.burst:,} at once"
        # "100 calls every minute" would be a quota that renews.
        every = each_window(self.window_seconds).removeprefix(" every ")
        return f"at most {counted(self.count, 'call')} in any {every}{burst}"


@dataclass(frozen=True, slots=True)
class Concurrency:
    kind: ClassVar[str] = "concurrency"
    unit: ClassVar[str] = "concurrent-requests"
    window_seconds: ClassVar[None] = None

    count: int

    @property
    def total(self) -> int:
        return self.count

    @property
    def name(self) -> str:
        return self.kind

    def terms(self) -> dict[str, object]:
        return {"kind": self.kind, "count": self.count}

    def words(self) -> str:
        return f"at most {counted(self.count, 'call')} at a time"


@dataclass(frozen=True, slots=True)
class Bandwidth(Directed):
    """Paced, never refused. Over `window_seconds` it is smooth: see PaceState."""

    kind: ClassVar[str] = "bandwidth"
    unit: ClassVar[str] = "content-bytes"

    bytes_per_second: int
    window_seconds: int = 1

    @property
    def total(self) -> int:
        return self.bytes_per_second * self.window_seconds

    def terms(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "direction": str(self.direction),
            "bytes_per_second": self.bytes_per_second,
            "window_seconds": self.window_seconds,
        }

    def words(self) -> str:
        way = {"up": "uploading", "down": "downloading", "both": "up and down together"}
        return f"{byte_words(self.bytes_per_second)} a second {way[self.direction]}"


def bandwidth(fields: Fields) -> Bandwidth:
    direction, speed = fields.direction(), fields.integer("bytes_per_second", most=SPEED_MAX)
    window = fields.optional("window_seconds") or 1
    if window > PACE_WINDOW_MAX:
        raise LimitError(f"{fields.where}.window_seconds must be from 1 to {PACE_WINDOW_MAX}.")
    fields.end()
    return Bandwidth(direction, speed, window)


def rate(fields: Fields) -> Rate:
    count, window = fields.integer("count"), fields.integer("window_seconds", most=WINDOW_MAX)
    burst = fields.optional("burst")
    fields.end()
    return Rate(count, window, burst)


def concurrency(fields: Fields) -> Concurrency:
    limit = Concurrency(fields.integer("count"))
    fields.end()
    return limit


SPEED_MAX = 10**12
PACE_WINDOW_MAX = 60
PACE_IDLE_US = 150_000
PACE_TICKS = 50  # A second: how often those who wait are served.
WINDOW_MAX = 366 * 86_400  # Beyond it, it is a quota: `calls` with a window.


@dataclass(slots=True)
class Group:
    began_us: int
    last_us: int
    count: int


@dataclass(slots=True)
class Log:
    """What was admitted within the last window."""

    groups: deque[Group] = field(default_factory=deque)
    count: int = 0


@dataclass(slots=True)
class Bucket:
    level: float
    at_us: int


def forget(log: Log, window_us: int, now_us: int) -> None:
    groups = log.groups
    if groups and groups[-1].last_us > now_us:  # The clock was set back.
        for group in groups:
            group.began_us, group.last_us = min(group.began_us, now_us), min(group.last_us, now_us)
    while groups and groups[0].last_us + window_us <= now_us:
        log.count -= groups.popleft().count


def refill(bucket: Bucket, per_second: float, capacity: float, now_us: int) -> None:
    elapsed_us = max(0, now_us - bucket.at_us)
    bucket.level = min(capacity, bucket.level + elapsed_us * per_second / SECOND_US)
    bucket.at_us = now_us


def take_from_log(log: Log, limit: Rate, wanted: int, now_us: int) -> int:
    """As many calls, up to `wanted`, as may be admitted now."""
    window_us = limit.window_seconds * SECOND_US
    forget(log, window_us, now_us)
    granted = min(wanted, limit.count - log.count)
    if granted <= 0:
        return 0
    log.count += granted
    newest = log.groups[-1] if log.groups else None
    if newest is not None and (now_us - newest.began_us) * GROUPS < window_us:
        newest.last_us = now_us
        newest.count += granted
    else:
        log.groups.append(Group(now_us, now_us, granted))
    return granted


def log_wait_us(log: Log, limit: Rate, now_us: int) -> int:
    """Until one more call may be admitted; 0: now."""
    window_us = limit.window_seconds * SECOND_US
    forget(log, window_us, now_us)
    over = log.count + 1 - limit.count
    for group in log.groups:
        if over <= 0:
            break
        over -= group.count
        if over <= 0:
            return group.last_us + window_us - now_us
    return 0


def undo_in_log(log: Log, count: int) -> None:
    """The last calls were not made after all."""
    while count and log.groups:
        newest = log.groups[-1]
        undone = min(count, newest.count)
        newest.count -= undone
        log.count -= undone
        count -= undone
        if not newest.count:
            log.groups.pop()


def take_from_bucket(bucket: Bucket, wanted: int) -> int:
    """Whole units only. The bucket was refilled to this moment."""
    granted = max(0, min(wanted, math.floor(bucket.level + NEARLY)))
    bucket.level -= granted
    return granted


def bucket_wait_us(bucket: Bucket, per_second: float) -> int:
    """Until there is one unit; 0: now."""
    if bucket.level + NEARLY >= 1:
        return 0
    return math.ceil((1 - bucket.level) * SECOND_US / per_second)


class RateState:
    """One rate's count, of either form."""

    __slots__ = ("_bucket", "_limit", "_log", "_per_second")

    def __init__(self, limit: Rate, now_us: int) -> None:
        self._limit = limit
        self._log = Log()
        self._bucket = None if limit.burst is None else Bucket(float(limit.burst), now_us)
        self._per_second = limit.count / limit.window_seconds

    def take(self, wanted: int, now_us: int) -> int:
        if self._bucket is None:
            return take_from_log(self._log, self._limit, wanted, now_us)
        self._refill(self._bucket, now_us)
        return take_from_bucket(self._bucket, wanted)

    def wait_us(self, now_us: int) -> int:
        if self._bucket is None:
            return log_wait_us(self._log, self._limit, now_us)
        self._refill(self._bucket, now_us)
        return bucket_wait_us(self._bucket, self._per_second)

    def undo(self, count: int) -> None:
        if self._bucket is None:
            undo_in_log(self._log, count)
        else:
            self._bucket.level += count

    def left(self, now_us: int) -> int:
        if self._bucket is None:
            forget(self._log, self._limit.window_seconds * SECOND_US, now_us)
            return max(0, self._limit.count - self._log.count)
        self._refill(self._bucket, now_us)
        return max(0, math.floor(self._bucket.level + NEARLY))

    def is_full(self, now_us: int) -> bool:
        """Nothing is remembered that a new state would not know."""
        return self.left(now_us) >= self._limit.total

    def _refill(self, bucket: Bucket, now_us: int) -> None:
        refill(bucket, self._per_second, float(self._limit.total), now_us)


class PaceState:
    """A bandwidth's bucket. An idle one holds a 20th of a window, so there are no bursts; one that
    is used may fall a quarter of a window behind and catch up, so that late ticks cost nothing.
    """

    __slots__ = ("_behind", "_bucket", "_burst", "_crumb", "_is_waited_for", "_per_second")

    def __init__(self, limit: Bandwidth, now_us: int) -> None:
        self._per_second = float(limit.bytes_per_second)
        self._burst = max(1.0, limit.total / 20)
        self._behind = max(1.0, limit.total / 4)
        self._crumb = min(max(1.0, self._per_second / PACE_TICKS), self._burst)
        self._bucket = Bucket(self._burst, now_us)
        self._is_waited_for = False

    def take(self, wanted: int, now_us: int) -> int:
        self._refill(now_us)
        granted = take_from_bucket(self._bucket, wanted)
        self._is_waited_for = granted < wanted
        return granted

    def take_piece(self, wanted: int, now_us: int) -> int:
        """As `take`, but nothing rather than crumbs of less than a tick."""
        self._refill(now_us)
        level = self._bucket.level + NEARLY
        if level < wanted and level < self._crumb:
            self._is_waited_for = True
            return 0
        granted = take_from_bucket(self._bucket, wanted)
        self._is_waited_for = granted < wanted
        return granted

    def _refill(self, now_us: int) -> None:
        is_used = self._is_waited_for or now_us - self._bucket.at_us < PACE_IDLE_US
        capacity = self._behind if is_used else self._burst
        refill(self._bucket, self._per_second, capacity, now_us)
