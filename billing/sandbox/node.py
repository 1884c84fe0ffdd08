"""The whole network: what was agreed, what waits, and the closing of ledgers.

Everything runs on one thread, so nothing is ever half done when somebody looks. Time comes in as an
argument. What an answer tells is on disk before the answer leaves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stellar_sdk import xdr

from billing.sandbox import (
    applying,
    clock,
    envelopes,
    events,
    genesis,
    headers,
    network,
    results,
    transactions,
)
from billing.sandbox.envelopes import Envelope
from billing.sandbox.faults import Fault, Faults
from billing.sandbox.host import Closing
from billing.sandbox.pending import Place, Queue, Waiting
from billing.sandbox.results import TxCode
from billing.sandbox.state import State, View
from billing.sandbox.storage import (
    PRUNE_EVERY_LEDGERS,
    AppliedRow,
    Close,
    EventRow,
    LedgerRow,
    PendingRow,
    Storage,
)


class Status(StrEnum):
    PENDING = "PENDING"
    DUPLICATE = "DUPLICATE"
    TRY_AGAIN_LATER = "TRY_AGAIN_LATER"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Submitted:
    status: Status
    result: xdr.TransactionResult | None = None


@dataclass(slots=True)
class _Building:
    """A ledger while it closes."""

    view: View
    closing: Closing
    envelopes: list[xdr.TransactionEnvelope]
    results: list[xdr.TransactionResultPair]
    applied: list[AppliedRow]
    events: list[EventRow]
    invalid: list[bytes]


class Node:
    def __init__(
        self,
        storage: Storage,
        *,
        now_s: float,
        signers: Sequence[bytes] = (),
        faults: Faults | None = None,
    ) -> None:
        self.storage = storage
        self.faults = Faults() if faults is None else faults
        self.state = State(storage.entries())
        self.queue = Queue()
        latest = storage.latest()
        if latest is None:
            latest = self._found(now_s)
        self.latest = latest
        for row in storage.pending():
            self.queue.add(envelopes.read(row.envelope), privileged=row.privileged)
        self._settle(signers, now_s)

    @property
    def oldest(self) -> int:
        first = self.latest.sequence - network.RETENTION_LEDGERS + 1
        return max(network.GENESIS_SEQUENCE, first)

    def view(self) -> View:
        """The closed ledger, to look at or to try something on."""
        return View(self.state, self.latest.sequence)

    def submit(self, envelope: Envelope, *, now_s: float, privileged: bool = False) -> Submitted:
        place = self.queue.place_for(envelope, sequence=self.latest.sequence)
        if place == Place.DUPLICATE:
            return Submitted(Status.DUPLICATE)
        if place == Place.SEQUENCE_PASSED:
            return Submitted(Status.ERROR, results.bumped(envelope, TxCode.txBAD_SEQ))
        if place == Place.LATER:
            return Submitted(Status.TRY_AGAIN_LATER)
        closing = self._next(now_s)
        result = transactions.check(
            envelope, View(self.state, closing.sequence), closing, privileged=privileged
        )
        if result is not None:
            return Submitted(Status.ERROR, result)
        replaced = self.queue.of_source(envelope.source) if place == Place.REPLACES else None
        self._enqueue(envelope, replaced, privileged=privileged)
        return Submitted(Status.PENDING)

    def submit_after_own(self, envelope: Envelope) -> None:
        """For friendbot alone, which numbers its transactions itself and may queue many."""
        self._enqueue(envelope, None, privileged=True)

    def forget(self, digest: bytes) -> None:
        """As if the transaction had never come."""
        self.storage.drop_pending(digest)
        self.queue.leave([digest])

    def close(self, now_s: float) -> None:
        building = self._begin(now_s)
        batch = self.queue.next_batch()
        for waiting in batch:
            self._apply(waiting, building)
        taken = [waiting.envelope.hash for waiting in batch]
        left = set(taken)
        stale = [
            digest
            for digest in self.queue.grow_old(sequence=building.closing.sequence)
            if digest not in left
        ]
        self._write(building, left_queue=[*taken, *stale])
        self.queue.leave([*taken, *stale])
        self.queue.ban([*building.invalid, *stale], sequence=building.closing.sequence)
        if self.latest.sequence % PRUNE_EVERY_LEDGERS == 0:
            self.state.forget_expired(self.latest.sequence)

    def _found(self, now_s: float) -> LedgerRow:
        closing = Closing(network.GENESIS_SEQUENCE, int(now_s))
        view = View(self.state, closing.sequence)
        genesis.found(view)
        self.latest = LedgerRow(closing.sequence - 1, closing.close_time, bytes(32), b"")
        self._write(_Building(view, closing, [], [], [], [], []), left_queue=[])
        return self.latest

    def _settle(self, signers: Sequence[bytes], now_s: float) -> None:
        building = self._begin(now_s)
        genesis.install(building.view)
        genesis.register_signers(building.view, signers)
        if building.view.changes:
            self._write(building, left_queue=[])

    def _next(self, now_s: float) -> Closing:
        closed_at = clock.close_time(now_s, self.latest.closed_at)
        return Closing(self.latest.sequence + 1, closed_at)

    def _begin(self, now_s: float) -> _Building:
        closing = self._next(now_s)
        return _Building(View(self.state, closing.sequence), closing, [], [], [], [], [])

    def _enqueue(self, envelope: Envelope, replaced: Waiting | None, *, privileged: bool) -> None:
        row = PendingRow(envelope.hash, envelope.raw, privileged)
        old = None if replaced is None else replaced.envelope.hash
        self.storage.add_pending(row, instead_of=old)
        if old is not None:
            self.queue.leave([old])
        self.queue.add(envelope, privileged=privileged)

    def _apply(self, waiting: Waiting, building: _Building) -> None:
        envelope, view, closing = waiting.envelope, building.view, building.closing
        refused = transactions.check(envelope, view, closing, privileged=waiting.privileged)
        if refused is not None:
            # It was valid when it came; as on the network it silently stays out.
            building.invalid.append(envelope.hash)
            return
        starved = envelope.soroban_data is not None and self.faults.strikes(Fault.FAILED)
        applied = applying.apply(envelope, view, closing, starved=starved)
        position = len(building.applied) + 1
        body = events.transaction_body(envelope, applied, closing, position)
        row = AppliedRow(envelope.hash, envelope.inner_hash, position, body)
        building.applied.append(row)
        building.events.extend(events.rows(envelope, applied, closing, position))
        building.envelopes.append(xdr.TransactionEnvelope.from_xdr_bytes(envelope.raw))
        pair = xdr.TransactionResultPair(xdr.Hash(envelope.hash), applied.result)
        building.results.append(pair)

    def _write(self, building: _Building, *, left_queue: Sequence[bytes]) -> None:
        previous = self.latest.hash
        tx_set = headers.transaction_set(previous, building.envelopes)
        header = headers.header(
            sequence=building.closing.sequence,
            closed_at=building.closing.close_time,
            previous=previous,
            tx_set=tx_set.to_xdr_bytes(),
            tx_results=xdr.TransactionResultSet(building.results).to_xdr_bytes(),
        )
        raw = header.to_xdr_bytes()
        digest = hashlib.sha256(raw).digest()
        closing = building.closing
        row = LedgerRow(closing.sequence, closing.close_time, digest, raw)
        changes = building.view.changes
        close = Close(row, changes, building.applied, building.events, left_queue)
        self.storage.write(close, oldest=self.oldest)
        self.state.apply(changes)
        self.latest = row
