"""The file: one sandbox at a time, every close whole."""

from pathlib import Path

import pytest

from billing.sandbox.state import Entry
from billing.sandbox.storage import (
    AppliedRow,
    Close,
    EventRow,
    InUseError,
    LedgerRow,
    PendingRow,
    Storage,
)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "ledger.sqlite3")


def close(sequence: int, *, digest: bytes = b"one", **changes: object) -> Close:
    ledger = LedgerRow(sequence, 1000 + sequence, b"hash", b"header")
    applied = [AppliedRow(digest, digest, 1, {"txHash": digest.hex()})]
    events = [EventRow(f"id-{sequence}", "C", {"id": f"id-{sequence}"})]
    given: dict[str, object] = {"entries": {}, "left_queue": []} | changes
    return Close(ledger, applied=applied, events=events, **given)  # type: ignore[arg-type]


def test_second_sandbox_on_one_file_is_refused(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(InUseError, match="Another sandbox is running"):
        Storage(tmp_path / "ledger.sqlite3")
    storage.close()
    Storage(tmp_path / "ledger.sqlite3").close()


def test_only_its_owner_can_look_into_the_directory(tmp_path: Path) -> None:
    Storage(tmp_path / "new" / "ledger.sqlite3").close()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_entries_are_kept_replaced_and_removed(storage: Storage) -> None:
    one, two = Entry(b"1", 2, None), Entry(b"2", 3, 99)
    storage.write(close(2, entries={b"a": one, b"b": one}), oldest=2)
    storage.write(close(3, digest=b"two", entries={b"a": two, b"b": None}), oldest=2)
    assert storage.entries() == {b"a": two}


def test_pending_keep_their_order_and_leave_with_their_ledger(storage: Storage) -> None:
    rows = [PendingRow(bytes([number]), b"xdr", number == 2) for number in (3, 1, 2)]
    for row in rows:
        storage.add_pending(row)
    assert storage.pending() == rows
    storage.write(close(2, left_queue=[b"\x01"]), oldest=2)
    assert storage.pending() == [rows[0], rows[2]]


def test_replacement_takes_the_place_in_one_step(storage: Storage) -> None:
    storage.add_pending(PendingRow(b"old", b"xdr", False))
    storage.add_pending(PendingRow(b"new", b"xdr", False), instead_of=b"old")
    assert [row.hash for row in storage.pending()] == [b"new"]


def test_ledger_that_cannot_be_written_whole_is_not_written(storage: Storage) -> None:
    storage.write(close(2), oldest=2)
    storage.add_pending(PendingRow(b"p", b"xdr", False))
    entries = {b"a": Entry(b"1", 3, None)}
    with pytest.raises(Exception, match="UNIQUE"):
        storage.write(close(3, digest=b"one", entries=entries, left_queue=[b"p"]), oldest=2)
    latest = storage.latest()
    assert latest is not None
    assert latest.sequence == 2
    assert storage.entries() == {}
    assert len(storage.pending()) == 1


def test_history_older_than_the_window_is_pruned(storage: Storage) -> None:
    storage.write(close(99), oldest=2)
    storage.write(close(100, digest=b"two", entries={b"a": Entry(b"1", 2, 50)}), oldest=100)
    assert storage.oldest().sequence == 100
    assert storage.applied(b"one") is None
    assert list(storage.events_between("", 1000, [])) == [{"id": "id-100"}]
    assert storage.entries() == {}
