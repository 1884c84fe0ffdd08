"""Reading a JSON object claim by claim, until nothing is left that was not read.

Types are exact: a bool is no integer, and a claim that is absent is not a claim that is null.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

TEXT_CHARS_MAX = 1024


class ClaimError(ValueError):
    """Names the claim and what it should have been."""


@dataclass(slots=True)
class Claims:
    unread: dict[str, object]

    def __init__(self, document: Mapping[str, object]) -> None:
        self.unread = dict(document)

    def take(self, name: str) -> object:
        if name not in self.unread:
            raise ClaimError(f"{name} is missing")
        return self.unread.pop(name)

    def nothing_left(self) -> None:
        if self.unread:
            name = min(self.unread)
            raise ClaimError(f"{name[:40]!a} is not known here")

    def text(self, name: str, pattern: re.Pattern[str] | None = None) -> str:
        value = self.take(name)
        if not isinstance(value, str) or not 1 <= len(value) <= TEXT_CHARS_MAX:
            raise ClaimError(f"{name} is not a text of 1 to {TEXT_CHARS_MAX} characters")
        if pattern is not None and not pattern.fullmatch(value):
            raise ClaimError(f"{name} is not of the form {pattern.pattern}")
        return value

    def integer(self, name: str, least: int = 0) -> int:
        value = self.take(name)
        if type(value) is not int or value < least:
            raise ClaimError(f"{name} is not an integer of at least {least}")
        return value

    def boolean(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise ClaimError(f"{name} is not true or false")
        return value

    def objects(self, name: str) -> list[dict[str, object]]:
        value = self.take(name)
        if not isinstance(value, list):
            raise ClaimError(f"{name} is not a list")
        items: list[dict[str, object]] = []
        for item in value:
            if not isinstance(item, dict):
                raise ClaimError(f"{name} has an item that is not an object")
            items.append(item)
        return items

    def nullable_object(self, name: str) -> dict[str, object] | None:
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            raise ClaimError(f"{name} is not an object or null")
        return value

    def optional_text(self, name: str, pattern: re.Pattern[str]) -> str | None:
        return self.text(name, pattern) if name in self.unread else None

    def optional_integer(self, name: str) -> int | None:
        return self.integer(name) if name in self.unread else None

    def optional_texts(
        self, name: str, pattern: re.Pattern[str], most: int
    ) -> frozenset[str] | None:
        """A list of different texts. An empty one is refused: it reads as "none" and as "any"."""
        if name not in self.unread:
            return None
        value = self.take(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise ClaimError(f"{name} is not a list of 1 to {most} texts")
        for item in value:
            if not isinstance(item, str) or not pattern.fullmatch(item):
                raise ClaimError(f"{name} has an item not of the form {pattern.pattern}")
        if len(set(value)) != len(value):
            raise ClaimError(f"{name} has an item twice")
        return frozenset(value)
