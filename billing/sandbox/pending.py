"""Transactions that wait for a ledger, by stellar-core's rules.

One waits per source account: another of the same source is asked to come later, a fee bump of the
same sequence number replaces it when it bids ten times as much. What no ledger took within four is
dropped and its hash banned for ten.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from billing.sandbox.envelopes import Envelope

QUEUE_MAX = 1_000
LEDGER_TRANSACTIONS_MAX = 100
PATIENCE_LEDGERS = 4
BAN_LEDGERS = 10
REPLACEMENT_FACTOR = 10


class Place(Enum):
    FREE = auto()
    REPLACES = auto()
    DUPLICATE = auto()
    LATER = auto()
    SEQUENCE_PASSED = auto()


@dataclass(slots=True)
class Waiting:
    envelope: Envelope
    privileged: bool
    ledgers_waited: int = 0


@dataclass(slots=True)
class Queue:
    waiting: dict[bytes, Waiting] = field(default_factory=dict)
    banned_until: dict[bytes, int] = field(default_factory=dict)

    def place_for(self, envelope: Envelope, *, sequence: int) -> Place:
        """Where `envelope` would go, in the ledger after `sequence`."""
        if envelope.hash in self.waiting:
            return Place.DUPLICATE
        if self.banned_until.get(envelope.hash, 0) >= sequence:
            return Place.LATER
        other = self.of_source(envelope.source)
        if other is None:
            return Place.FREE if len(self.waiting) < QUEUE_MAX else Place.LATER
        return _beside(envelope, other.envelope)

    def of_source(self, source: str) -> Waiting | None:
        return next((w for w in self.waiting.values() if w.envelope.source == source), None)

    def count_of_source(self, source: str) -> int:
        return sum(waiting.envelope.source == source for waiting in self.waiting.values())

    def add(self, envelope: Envelope, *, privileged: bool) -> None:
        self.waiting[envelope.hash] = Waiting(envelope, privileged)

    def next_batch(self) -> list[Waiting]:
        return list(self.waiting.values())[:LEDGER_TRANSACTIONS_MAX]

    def leave(self, hashes: Sequence[bytes]) -> None:
        for digest in hashes:
            self.waiting.pop(digest, None)

    def ban(self, hashes: Sequence[bytes], *, sequence: int) -> None:
        for digest in hashes:
            self.banned_until[digest] = sequence + BAN_LEDGERS

    def grow_old(self, *, sequence: int) -> list[bytes]:
        """A ledger closed without these; returns those whose patience has ended."""
        for waiting in self.waiting.values():
            waiting.ledgers_waited += 1
        self.banned_until = {
            digest: until for digest, until in self.banned_until.items() if until > sequence
        }
        return [
            digest
            for digest, waiting in self.waiting.items()
            if waiting.ledgers_waited >= PATIENCE_LEDGERS
        ]


def _beside(envelope: Envelope, other: Envelope) -> Place:
    if envelope.sequence < other.sequence:
        return Place.SEQUENCE_PASSED
    replaces = envelope.bump is not None and envelope.sequence == other.sequence
    if replaces and envelope.fee_bid >= REPLACEMENT_FACTOR * other.fee_bid:
        return Place.REPLACES
    return Place.LATER
