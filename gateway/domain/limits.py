"""The limit kinds of docs/protocol.md section 2, and how much of one a node may lease.

A quota is a bought quantity of units: calls, bytes, messages, credits. All arithmetic is in whole
units. Quotas are durable: their truth is a database row, of which nodes lease blocks. The other
family refills by itself and has no row: rates.py, schedules.py.
A kind that is not in KINDS is refused, so that nothing is sold that is not enforced.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeGuard

from gateway.domain import rates, schedules
from gateway.domain.fields import (
    Directed,
    Direction,
    Fields,
    LimitError,
    byte_words,
    counted,
    each_window,
)
from gateway.domain.rates import Bandwidth, Concurrency, Rate
from gateway.domain.schedules import Schedule
from gateway.domain.units import INTEGER_MAX, PerUnit, cost_of, parse_per_unit, per_unit_terms

__all__ = ["INTEGER_MAX", "Direction", "LimitError"]

LIMITS_MAX = 16  # Each costs a row, a lease and a header member.
DATA_QUANTUM_BYTES = 256 * 1024
MESSAGES_QUANTUM = 16
LITTLE_OF = 1_000
LITTLE_QUANTA_MAX = 64
NO_WINDOW = 0  # The window number of a quota that never renews.


@dataclass(frozen=True, slots=True)
class Calls:
    kind: ClassVar[str] = "calls"
    unit: ClassVar[str] = "requests"
    quantum: ClassVar[int] = 1
    per_call: ClassVar[int] = 1

    count: int
    window_seconds: int | None = None

    @property
    def total(self) -> int:
        return self.count

    @property
    def name(self) -> str:
        return self.kind

    @property
    def reserved_per_call(self) -> int:
        return 1

    def terms(self) -> dict[str, object]:
        return {"kind": self.kind, "count": self.count, "window_seconds": self.window_seconds}

    def words(self) -> str:
        return counted(self.count, "call") + each_window(self.window_seconds)


@dataclass(frozen=True, slots=True)
class Data(Directed):
    """Body bytes. None is reserved by an admission; each chunk takes its own."""

    kind: ClassVar[str] = "data"
    unit: ClassVar[str] = "content-bytes"
    quantum: ClassVar[int] = DATA_QUANTUM_BYTES
    per_call: ClassVar[int] = 0

    bytes: int
    window_seconds: int | None = None

    @property
    def total(self) -> int:
        return self.bytes

    @property
    def reserved_per_call(self) -> int:
        return 0

    def terms(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "direction": str(self.direction),
            "bytes": self.bytes,
            "window_seconds": self.window_seconds,
        }

    def words(self) -> str:
        way = {"up": "uploaded", "down": "downloaded", "both": "up and down"}[self.direction]
        return f"{byte_words(self.bytes)} {way}{each_window(self.window_seconds)}"


@dataclass(frozen=True, slots=True)
class Messages(Directed):
    """WebSocket messages, server-sent events, gRPC messages: each takes its own, as it passes."""

    kind: ClassVar[str] = "messages"
    unit: ClassVar[str] = "messages"
    quantum: ClassVar[int] = MESSAGES_QUANTUM
    per_call: ClassVar[int] = 0

    count: int
    window_seconds: int | None = None

    @property
    def total(self) -> int:
        return self.count

    @property
    def reserved_per_call(self) -> int:
        return 0

    def terms(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "direction": str(self.direction),
            "count": self.count,
            "window_seconds": self.window_seconds,
        }

    def words(self) -> str:
        way = {"up": "sent", "down": "received", "both": "sent and received"}[self.direction]
        return f"{counted(self.count, 'message')} {way}{each_window(self.window_seconds)}"


@dataclass(frozen=True, slots=True)
class Credits:
    """`max_per_call` is reserved before a call; what the call did not cost comes back after it."""

    kind: ClassVar[str] = "credits"
    unit: ClassVar[str] = "credits"

    credits: int
    per_call: int = 1
    max_per_call: int = 1
    window_seconds: int | None = None
    per_unit: tuple[PerUnit, ...] = ()

    @property
    def total(self) -> int:
        return self.credits

    @property
    def name(self) -> str:
        return self.kind

    @property
    def quantum(self) -> int:
        return self.max_per_call

    @property
    def reserved_per_call(self) -> int:
        return self.max_per_call

    def terms(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "credits": self.credits,
            "per_call": self.per_call,
            "max_per_call": self.max_per_call,
            "per_unit": per_unit_terms(self.per_unit),
            "window_seconds": self.window_seconds,
        }

    def words(self) -> str:
        most = "" if self.max_per_call == self.per_call else f" to {self.max_per_call:,}"
        each = f", {self.per_call:,}{most} a call"
        if self.per_unit:
            prices = [f"{self.per_call:,} a call"] if self.per_call else []
            prices += [price.words() for price in self.per_unit]
            each = f", {' and '.join(prices)}; {self.max_per_call:,} reserved at a time"
        return counted(self.credits, "credit") + each + each_window(self.window_seconds)

    def cost(self, count: Mapping[str, int]) -> int:
        """What a call costs that used so many units, rounded up once."""
        return self.per_call + cost_of(self.per_unit, count)


Quota = Calls | Data | Messages | Credits
Refilling = Rate | Bandwidth | Concurrency | Schedule
Limit = Quota | Refilling


def parse_limits(raw: object) -> tuple[Limit, ...]:
    if not isinstance(raw, list):
        raise LimitError("limits must be a list.")
    if len(raw) > LIMITS_MAX:
        raise LimitError(f"limits: at most {LIMITS_MAX} of them.")
    return tuple(_parse(entry, f"limits[{position}]") for position, entry in enumerate(raw))


def _parse(entry: object, where: str) -> Limit:
    if not isinstance(entry, dict):
        raise LimitError(f"{where} must be an object.")
    kind = entry.get("kind")
    parse = KINDS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        known = ", ".join(sorted(KINDS))
        raise LimitError(f"{where}.kind: {kind!r} is not one of {known}.")
    return parse(Fields(entry, where))


def _calls(fields: Fields) -> Calls:
    limit = Calls(count=fields.integer("count"), window_seconds=fields.window())
    fields.end()
    return limit


def _data(fields: Fields) -> Data:
    direction, size = fields.direction(), fields.integer("bytes")
    limit = Data(direction=direction, bytes=size, window_seconds=fields.window())
    fields.end()
    return limit


def _messages(fields: Fields) -> Messages:
    direction, count = fields.direction(), fields.integer("count")
    limit = Messages(direction=direction, count=count, window_seconds=fields.window())
    fields.end()
    return limit


def _credits(fields: Fields) -> Credits:
    total = fields.integer("credits")
    per_call = fields.integer("per_call", default=1, least=0)
    max_per_call = fields.integer("max_per_call", default=max(per_call, 1))
    if max_per_call < per_call:
        raise LimitError(f"{fields.where}.max_per_call must not be less than per_call.")
    if max_per_call > total:
        raise LimitError(
            f"{fields.where}.max_per_call must not be more than credits: no call could be made."
        )
    try:
        per_unit = parse_per_unit(fields.take("per_unit"))
    except ValueError as exc:
        raise LimitError(f"{fields.where}.{exc}") from exc
    window = fields.window()
    fields.end()
    return Credits(
        credits=total,
        per_call=per_call,
        max_per_call=max_per_call,
        window_seconds=window,
        per_unit=per_unit,
    )


KINDS: dict[str, Callable[[Fields], Limit]] = {
    "calls": _calls,
    "data": _data,
    "messages": _messages,
    "credits": _credits,
    "rate": rates.rate,
    "bandwidth": rates.bandwidth,
    "concurrency": rates.concurrency,
    "schedule": schedules.schedule,
}


def is_quota(limit: Limit) -> TypeGuard[Quota]:
    return isinstance(limit, Calls | Data | Messages | Credits)


def is_refilling(limit: Limit) -> TypeGuard[Refilling]:
    return not is_quota(limit)


def block(left: int, *, waiting: int, quantum: int, last_second: int) -> int:
    """Units to lease to a node: enough for two seconds, never more than a quarter ahead of need.

    Of much, a small part is leased to whoever uses little: he need not come back every second.
    """
    little = min(left // LITTLE_OF, LITTLE_QUANTA_MAX * quantum)
    return min(left, max(waiting, quantum, min(left // 4, 2 * last_second), little))


def window_number(*, start_s: float, window_seconds: int | None, now_s: float) -> int:
    """Windows count from the grant's start; a clock that runs behind it is in the first."""
    if window_seconds is None:
        return NO_WINDOW
    return max(0, math.floor((now_s - start_s) / window_seconds))


def window_end_s(*, start_s: float, window_seconds: int | None, number: int) -> float:
    if window_seconds is None:
        return math.inf
    return start_s + (number + 1) * window_seconds
