"""How the fields of a limit are read, and how quantities are said. Each kind of limit uses both."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.domain.units import INTEGER_MAX


class LimitError(ValueError):
    """A limit that cannot be sold; the message names the field."""


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Directed:
    """A limit of what flows one way, or both ways together."""

    kind: ClassVar[str]

    direction: Direction

    @property
    def name(self) -> str:
        return self.kind if self.direction is Direction.BOTH else f"{self.kind}-{self.direction}"

    def counts(self, direction: Direction) -> bool:
        return self.direction in {direction, Direction.BOTH}


class Fields:
    """The fields of one limit, read once each, so that what nobody read is known to be unknown."""

    def __init__(self, entry: Mapping[str, object], where: str) -> None:
        self._rest = {name: value for name, value in entry.items() if name != "kind"}
        self.where = where

    def integer(
        self, name: str, default: int | None = None, least: int = 1, most: int = INTEGER_MAX
    ) -> int:
        value = self._rest.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise LimitError(f"{self.where}.{name} must be an integer.")
        if not least <= value <= most:
            top = "2^53-1" if most == INTEGER_MAX else str(most)
            raise LimitError(f"{self.where}.{name} must be from {least} to {top}.")
        return value

    def optional(self, name: str) -> int | None:
        if self._rest.get(name) is None:
            self._rest.pop(name, None)
            return None
        return self.integer(name)

    def window(self) -> int | None:
        return self.optional("window_seconds")

    def text(self, name: str) -> str:
        value = self._rest.pop(name, None)
        if not isinstance(value, str):
            raise LimitError(f"{self.where}.{name} must be a text.")
        return value

    def items(self, name: str, most: int) -> list[object]:
        value = self._rest.pop(name, None)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise LimitError(f"{self.where}.{name} must be a list of 1 to {most}.")
        return value

    def direction(self) -> Direction:
        value = self._rest.pop("direction", None)
        if value not in list(Direction):
            raise LimitError(f"{self.where}.direction must be up, down or both.")
        return Direction(str(value))

    def take(self, name: str) -> object:
        return self._rest.pop(name, None)

    def end(self) -> None:
        if self._rest:
            raise LimitError(f"{self.where}.{min(self._rest)} is not a field of this limit.")


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


WINDOW_WORDS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}


def each_window(seconds: int | None) -> str:
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


def byte_words(size: int) -> str:
    """Exact: what is written here is what is cut to the byte."""
    for unit, name in BYTE_UNITS:
        if size % unit == 0:
            return f"{size // unit:,} {name}"
    return counted(size, "byte")
