"""The node as somebody sees it whose node lags behind, or forgets: other bounds, the same past."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from billing.sandbox.node import Node
from billing.sandbox.state import State, View
from billing.sandbox.storage import Document, LedgerRow, Storage


class Kept(Protocol):
    """What is kept of history."""

    def oldest(self) -> LedgerRow: ...
    def ledgers(self, *, first: int, limit: int) -> list[LedgerRow]: ...
    def applied(self, digest: bytes) -> Document | None: ...
    def applied_after(self, ledger: int, position: int, limit: int) -> list[Document]: ...
    def applied_in(self, ledger: int) -> list[Document]: ...
    def events_between(
        self, after: str, before_ledger: int, contracts: Sequence[str]
    ) -> Iterator[Document]: ...


class Seen(Protocol):
    """What the methods that only tell need of a node."""

    @property
    def latest(self) -> LedgerRow: ...
    @property
    def oldest(self) -> int: ...
    @property
    def storage(self) -> Kept: ...
    def view(self) -> View: ...


@dataclass(frozen=True, slots=True)
class Bounded:
    """History from one ledger to another; what is outside of it is not known."""

    kept: Storage
    first: int
    last: int

    def oldest(self) -> LedgerRow:
        return self.kept.ledgers(first=self.first, limit=1)[0]

    def ledgers(self, *, first: int, limit: int) -> list[LedgerRow]:
        found = self.kept.ledgers(first=max(first, self.first), limit=limit)
        return [row for row in found if row.sequence <= self.last]

    def applied(self, digest: bytes) -> Document | None:
        found = self.kept.applied(digest)
        return found if found is not None and self._knows(found) else None

    def applied_after(self, ledger: int, position: int, limit: int) -> list[Document]:
        return [row for row in self.kept.applied_after(ledger, position, limit) if self._knows(row)]

    def applied_in(self, ledger: int) -> list[Document]:
        return self.kept.applied_in(ledger)

    def events_between(
        self, after: str, before_ledger: int, contracts: Sequence[str]
    ) -> Iterator[Document]:
        return self.kept.events_between(after, min(before_ledger, self.last + 1), contracts)

    def _knows(self, applied: Document) -> bool:
        ledger = applied["ledger"]
        assert isinstance(ledger, int)
        return self.first <= ledger <= self.last


@dataclass(frozen=True, slots=True)
class Past:
    latest: LedgerRow
    storage: Bounded
    state: State

    @property
    def oldest(self) -> int:
        return self.storage.first

    def view(self) -> View:
        return View(self.state, self.latest.sequence)


def frozen(node: Node) -> Past:
    """As it is now, whatever closes later."""
    latest = node.latest
    kept = Bounded(node.storage, node.storage.oldest().sequence, latest.sequence)
    return Past(latest, kept, State(dict(node.state.entries)))


def forgetful(node: Node, ledgers: int) -> Past:
    """As it is now, without what is older than so many ledgers."""
    last = node.latest.sequence
    first = max(node.storage.oldest().sequence, last - ledgers + 1)
    return Past(node.latest, Bounded(node.storage, first, last), node.state)
