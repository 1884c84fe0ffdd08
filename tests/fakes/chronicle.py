"""Usage books without a database."""

import threading
from collections.abc import Sequence

from gateway.chronicle import Entry, Unwritable
from gateway.domain.chronicle import Key, Line
from gateway.ledgers.port import LedgerUnavailable


class MemoryBooks:
    """Keeps each batch once, by its number, as the database does."""

    def __init__(self) -> None:
        self.batches: dict[int, Sequence[Entry]] = {}
        self.tries: list[int] = []
        self.is_away = self.answers_are_lost = self.refuses = False
        self.closed = threading.Event()

    def write(self, number: int, entries: Sequence[Entry]) -> None:
        self.tries.append(number)
        if self.refuses:
            raise Unwritable
        if self.is_away:
            raise LedgerUnavailable
        self.batches.setdefault(number, entries)
        if self.answers_are_lost:
            raise LedgerUnavailable

    def close(self) -> None:
        self.closed.set()

    def lines(self) -> dict[Key, Line]:
        """All batches added up."""
        found: dict[Key, Line] = {}
        for entries in self.batches.values():
            for entry in entries:
                found.setdefault(entry.key, Line()).add(entry.line)
        return found

    def calls(self) -> dict[Key, int]:
        return {key: line.calls for key, line in self.lines().items()}
