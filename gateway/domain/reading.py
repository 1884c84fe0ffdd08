"""Reading a document that our own side wrote: every field is typed, the place is named when not.

Fields that nobody reads are left alone, so that an older node follows a newer publisher's snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class Unreadable(ValueError):
    """Says which field of what is not what it should be."""


@dataclass(frozen=True, slots=True)
class Object:
    unread: Mapping[str, object]
    where: str

    def wrong(self, what: str) -> Unreadable:
        return Unreadable(f"{self.where}: {what}")

    def text(self, name: str) -> str:
        value = self.unread.get(name)
        if not isinstance(value, str):
            raise self.wrong(f"{name} is not a text")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.unread.get(name) is None else self.text(name)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.unread.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(f"{name} is not an integer")
        return value

    def boolean(self, name: str) -> bool:
        value = self.unread.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{name} is neither true nor false")
        return value

    def texts(self, name: str) -> list[str]:
        texts: list[str] = []
        for item in self._list(name):
            if not isinstance(item, str):
                raise self.wrong(f"{name} is not a list of texts")
            texts.append(item)
        return texts

    def optional_texts(self, name: str) -> list[str]:
        return [] if self.unread.get(name) is None else self.texts(name)

    def parts(self, name: str) -> list["Object"]:
        return [
            self._part(item, f"{name}[{position}]")
            for position, item in enumerate(self._list(name))
        ]

    def part(self, name: str) -> "Object":
        return self._part(self.unread.get(name), name)

    def optional_part(self, name: str) -> "Object":
        return self._part(self.unread.get(name, {}), name)

    def hex_bytes(self, name: str) -> bytes:
        try:
            return bytes.fromhex(self.text(name))
        except ValueError:
            raise self.wrong(f"{name} is not hex") from None

    def _list(self, name: str) -> list[object]:
        value = self.unread.get(name)
        if not isinstance(value, list):
            raise self.wrong(f"{name} is not a list")
        return value

    def _part(self, value: object, name: str) -> "Object":
        if not isinstance(value, Mapping):
            raise self.wrong(f"{name} is not an object")
        return Object(value, f"{self.where}.{name}")
