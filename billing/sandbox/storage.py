"""The ledger on disk: one SQLite file that survives `kill -9`.

A transaction that was answered PENDING is a row before the answer leaves; a ledger and everything
that it changed are one commit. So a restarted sandbox continues where the last answer stood.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from billing.sandbox.state import Entry

Json: TypeAlias = bool | int | str | list["Json"] | dict[str, "Json"] | None
Document: TypeAlias = dict[str, Json]

SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    sequence INTEGER PRIMARY KEY, closed_at INTEGER NOT NULL, hash BLOB NOT NULL,
    header BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS entry (
    key BLOB PRIMARY KEY, data BLOB NOT NULL, modified INTEGER NOT NULL, live_until INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied (
    hash BLOB PRIMARY KEY, inner_hash BLOB NOT NULL, ledger INTEGER NOT NULL,
    position INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS applied_inner ON applied (inner_hash);
CREATE UNIQUE INDEX IF NOT EXISTS applied_place ON applied (ledger, position);
CREATE TABLE IF NOT EXISTS event (
    id TEXT PRIMARY KEY, ledger INTEGER NOT NULL, contract TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
    hash BLOB PRIMARY KEY, envelope BLOB NOT NULL, privileged INTEGER NOT NULL,
    place INTEGER NOT NULL
);
"""
SELECT_LEDGER = "SELECT sequence, closed_at, hash, header FROM ledger"
PRUNE_EVERY_LEDGERS = 100


class InUseError(RuntimeError):
    """Another sandbox runs on this file."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    sequence: int
    closed_at: int
    hash: bytes
    header: bytes


@dataclass(frozen=True, slots=True)
class AppliedRow:
    hash: bytes
    inner_hash: bytes
    position: int
    body: Document


@dataclass(frozen=True, slots=True)
class EventRow:
    id: str
    contract: str
    body: Document


@dataclass(frozen=True, slots=True)
class PendingRow:
    hash: bytes
    envelope: bytes
    privileged: bool


@dataclass(frozen=True, slots=True)
class Close:
    """Everything that one ledger changes."""

    ledger: LedgerRow
    entries: dict[bytes, Entry | None]
    applied: Sequence[AppliedRow]
    events: Sequence[EventRow]
    left_queue: Sequence[bytes]


class Storage:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            os.close(self._lock)
            raise InUseError(f"Another sandbox is running on {path}.") from held
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def latest(self) -> LedgerRow | None:
        row = self._db.execute(f"{SELECT_LEDGER} ORDER BY sequence DESC LIMIT 1").fetchone()
        return None if row is None else LedgerRow(*row)

    def ledgers(self, *, first: int, limit: int) -> list[LedgerRow]:
        rows = self._db.execute(
            f"{SELECT_LEDGER} WHERE sequence >= ? ORDER BY sequence LIMIT ?", (first, limit)
        )
        return [LedgerRow(*row) for row in rows]

    def oldest(self) -> LedgerRow:
        return self.ledgers(first=0, limit=1)[0]

    def entries(self) -> dict[bytes, Entry]:
        rows = self._db.execute("SELECT key, data, modified, live_until FROM entry")
        return {key: Entry(data, modified, live) for key, data, modified, live in rows}

    def pending(self) -> list[PendingRow]:
        rows = self._db.execute("SELECT hash, envelope, privileged FROM pending ORDER BY place")
        return [PendingRow(digest, envelope, bool(flag)) for digest, envelope, flag in rows]

    def add_pending(self, row: PendingRow, *, instead_of: bytes | None = None) -> None:
        with self._transaction():
            if instead_of is not None:
                self._db.execute("DELETE FROM pending WHERE hash = ?", (instead_of,))
            self._db.execute(
                "INSERT INTO pending (hash, envelope, privileged, place)"
                " VALUES (?, ?, ?, (SELECT COALESCE(MAX(place), 0) + 1 FROM pending))",
                (row.hash, row.envelope, row.privileged),
            )

    def drop_pending(self, digest: bytes) -> None:
        self._db.execute("DELETE FROM pending WHERE hash = ?", (digest,))

    def write(self, close: Close, *, oldest: int) -> None:
        ledger = close.ledger
        with self._transaction():
            self._db.execute(
                "INSERT INTO ledger (sequence, closed_at, hash, header) VALUES (?, ?, ?, ?)",
                (ledger.sequence, ledger.closed_at, ledger.hash, ledger.header),
            )
            self._write_entries(close.entries)
            self._db.executemany(
                "INSERT INTO applied (hash, inner_hash, ledger, position, body)"
                " VALUES (?, ?, ?, ?, ?)",
                [
                    (row.hash, row.inner_hash, ledger.sequence, row.position, json.dumps(row.body))
                    for row in close.applied
                ],
            )
            self._db.executemany(
                "INSERT INTO event (id, ledger, contract, body) VALUES (?, ?, ?, ?)",
                [
                    (row.id, ledger.sequence, row.contract, json.dumps(row.body))
                    for row in close.events
                ],
            )
            self._db.executemany(
                "DELETE FROM pending WHERE hash = ?", [(digest,) for digest in close.left_queue]
            )
            if ledger.sequence % PRUNE_EVERY_LEDGERS == 0:
                self._prune(oldest, ledger.sequence)

    def applied(self, digest: bytes) -> Document | None:
        """By the transaction's own hash or that of the transaction inside a fee bump."""
        row = self._db.execute(
            "SELECT body FROM applied WHERE hash = :hash OR inner_hash = :hash LIMIT 1",
            {"hash": digest},
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def applied_after(self, ledger: int, position: int, limit: int) -> list[Document]:
        rows = self._db.execute(
            "SELECT body FROM applied WHERE (ledger, position) > (?, ?)"
            " ORDER BY ledger, position LIMIT ?",
            (ledger, position, limit),
        )
        return [json.loads(body) for (body,) in rows]

    def applied_in(self, ledger: int) -> list[Document]:
        rows = self._db.execute(
            "SELECT body FROM applied WHERE ledger = ? ORDER BY position", (ledger,)
        )
        return [json.loads(body) for (body,) in rows]

    def events_between(
        self, after: str, before_ledger: int, contracts: Sequence[str]
    ) -> Iterator[Document]:
        """Events with `after` < id, of these contracts or, with none named, of all."""
        marks = ",".join("?" * len(contracts))
        narrowed = f" AND contract IN ({marks})" if contracts else ""
        rows = self._db.execute(
            f"SELECT body FROM event WHERE id > ? AND ledger < ?{narrowed} ORDER BY id",  # noqa: S608 question marks only
            (after, before_ledger, *contracts),
        )
        return (json.loads(body) for (body,) in rows)

    def _write_entries(self, changes: dict[bytes, Entry | None]) -> None:
        gone = [(key,) for key, entry in changes.items() if entry is None]
        kept = [
            (key, entry.data, entry.modified, entry.live_until)
            for key, entry in changes.items()
            if entry is not None
        ]
        self._db.executemany("DELETE FROM entry WHERE key = ?", gone)
        self._db.executemany(
            "REPLACE INTO entry (key, data, modified, live_until) VALUES (?, ?, ?, ?)", kept
        )

    def _prune(self, oldest: int, sequence: int) -> None:
        self._db.execute("DELETE FROM ledger WHERE sequence < ?", (oldest,))
        self._db.execute("DELETE FROM applied WHERE ledger < ?", (oldest,))
        self._db.execute("DELETE FROM event WHERE ledger < ?", (oldest,))
        self._db.execute("DELETE FROM entry WHERE live_until < ?", (sequence,))

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT; the sqlite3 module's own begins too late and only for writes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
