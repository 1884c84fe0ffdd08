"""The limit kinds of docs/protocol.md section 2, and how much of one a node may lease.

A limit is a bought quantity of units: calls, bytes, credits. All arithmetic is in whole units.
The quotas here are durable: their truth is a database row, of which nodes lease blocks.
A kind that is not in KINDS is refused, so that nothing is sold that is not enforced.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

INTEGER_MAX = 2**53 - 1  # What every JSON reader can hold exactly.
LIMITS_MAX = 16  # Each costs a row, a lease and a header member.
DATA_QUANTUM_BYTES = 256 * 1024
NO_WINDOW = 0  # The window number of a quota that never renews.


class LimitError(ValueError):
    """A limit that cannot be sold; the message names the field."""


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"
    BOTH = "both"


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
        return _counted(self.count, "call") + _each_window(self.window_seconds)


@dataclass(frozen=True, slots=True)
class Data:
    """Body bytes. None is reserved by an admission; each chunk takes its own."""

    kind: ClassVar[str] = "data"
    unit: ClassVar[str] = "content-bytes"
    quantum: ClassVar[int] = DATA_QUANTUM_BYTES
    per_call: ClassVar[int] = 0

    direction: Direction
    bytes: int
    window_seconds: int | None = None

    @property
    def total(self) -> int:
        return self.bytes

    @property
    def name(self) -> str:
        return self.kind if self.direction is Direction.BOTH else f"{self.kind}-{self.direction}"

    @property
    def reserved_per_call(self) -> int:
        return 0

    def counts(self, direction: Direction) -> bool:
        return self.direction in {direction, Direction.BOTH}

    def terms(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "direction": str(self.direction),
            "bytes": self.bytes,
            "window_seconds": self.window_seconds,
        }

    def words(self) -> str:
        way = {"up": "uploaded", "down": "downloaded", "both": "up and down"}[self.direction]
        return f"{_byte_words(self.bytes)} {way}{_each_window(self.window_seconds)}"


@dataclass(frozen=True, slots=True)
class Credits:
    """`max_per_call` is reserved before a call; what the call did not cost comes back after it."""

    kind: ClassVar[str] = "credits"
    unit: ClassVar[str] = "credits"

    credits: int
    per_call: int = 1
    max_per_call: int = 1
    window_seconds: int | None = None

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
            "per_unit": None,
            "window_seconds": self.window_seconds,
        }

    def words(self) -> str:
        most = "" if self.max_per_call == self.per_call else f" to {self.max_per_call:,}"
        each = f", {self.per_call:,}{most} a call"
        return _counted(self.credits, "credit") + each + _each_window(self.window_seconds)


Limit = Calls | Data | Credits


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
    return parse(_Fields(entry, where))


class _Fields:
    """The fields of one limit, read once each, so that what nobody read is known to be unknown."""

    def __init__(self, entry: Mapping[str, object], where: str) -> None:
        self._rest = {name: value for name, value in entry.items() if name != "kind"}
        self.where = where

    def integer(self, name: str, default: int | None = None, least: int = 1) -> int:
        value = self._rest.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise LimitError(f"{self.where}.{name} must be an integer.")
        if not least <= value <= INTEGER_MAX:
            raise LimitError(f"{self.where}.{name} must be from {least} to 2^53-1.")
        return value

    def window(self) -> int | None:
        if self._rest.get("window_seconds") is None:
            self._rest.pop("window_seconds", None)
            return None
        return self.integer("window_seconds")

    def direction(self) -> Direction:
        value = self._rest.pop("direction", None)
        if value not in list(Direction):
            raise LimitError(f"{self.where}.direction must be up, down or both.")
        return Direction(str(value))

    def absent(self, name: str) -> None:
        if self._rest.pop(name, None) is not None:
            raise LimitError(f"{self.where}.{name} is not enforced yet, so it cannot be sold.")

    def end(self) -> None:
        if self._rest:
            raise LimitError(f"{self.where}.{min(self._rest)} is not a field of this limit.")


def _calls(fields: _Fields) -> Calls:
    limit = Calls(count=fields.integer("count"), window_seconds=fields.window())
    fields.end()
    return limit


def _data(fields: _Fields) -> Data:
    direction, size = fields.direction(), fields.integer("bytes")
    limit = Data(direction=direction, bytes=size, window_seconds=fields.window())
    fields.end()
    return limit


def _credits(fields: _Fields) -> Credits:
    total = fields.integer("credits")
    per_call = fields.integer("per_call", default=1, least=0)
    max_per_call = fields.integer("max_per_call", default=max(per_call, 1))
    if max_per_call < per_call:
        raise LimitError(f"{fields.where}.max_per_call must not be less than per_call.")
    if max_per_call > total:
        raise LimitError(
            f"{fields.where}.max_per_call must not be more than credits: no call could be made."
        )
    fields.absent("per_unit")
    window = fields.window()
    fields.end()
    return Credits(
        credits=total, per_call=per_call, max_per_call=max_per_call, window_seconds=window
    )


KINDS: dict[str, Callable[[_Fields], Limit]] = {"calls": _calls, "data": _data, "credits": _credits}


def block(left: int, *, waiting: int, quantum: int, last_second: int) -> int:
    """Units to lease to a node: enough for two seconds, never more than a quarter ahead of need."""
    return min(left, max(waiting, quantum, min(left // 4, 2 * last_second)))


def window_number(*, start_s: float, window_seconds: int | None, now_s: float) -> int:
    """Windows count from the grant's start; a clock that runs behind it is in the first."""
    if window_seconds is None:
        return NO_WINDOW
    return max(0, math.floor((now_s - start_s) / window_seconds))


def window_end_s(*, start_s: float, window_seconds: int | None, number: int) -> float:
    if window_seconds is None:
        return math.inf
    return start_s + (number + 1) * window_seconds


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


WINDOW_WORDS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}


def _each_window(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds in WINDOW_WORDS:
        return f" every {WINDOW_WORDS[seconds]}"
    for size, name in sorted(WINDOW_WORDS.items(), reverse=True):
        if seconds % size == 0:
            return f" every {seconds // size:,} {name}s"
    raise AssertionError("every integer is a number of seconds")


BYTE_UNITS = [
    (2**40, "TiB"),
    (10**12, "TB"),
    (2**30, "GiB"),
    (10**9, "GB"),
    (2**20, "MiB"),
    (10**6, "MB"),
    (2**10, "KiB"),
    (10**3, "kB"),
]


def _byte_words(size: int) -> str:
    """Exact: what is written here is what is cut to the byte."""
    for unit, name in BYTE_UNITS:
        if size % unit == 0:
            return f"{size // unit:,} {name}"
    return _counted(size, "byte")
