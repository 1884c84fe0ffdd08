"""The ledger's entries, and changes to them that are not yet decided.

A `View` lies over the closed ledger or over another view. It keeps its changes to itself until
`merge`, so that a refused transaction leaves nothing behind and a simulation never leaves anything.
Its footprint sees every entry that a contract touches: simulation records them, the ledger refuses
what was not declared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from stellar_sdk import Asset, xdr

from billing.sandbox import entries
from billing.sandbox.hosterrors import Code, HostError, Kind


@dataclass(frozen=True, slots=True)
class Entry:
    data: bytes  # XDR of LedgerEntryData
    modified: int  # Ledger of the last change.
    live_until: int | None  # Contract data only; the last ledger that sees it.


class Readable(Protocol):
    def find(self, key: bytes) -> Entry | None: ...


@dataclass(slots=True)
class State:
    """What the last closed ledger holds, by the XDR of its key."""

    entries: dict[bytes, Entry] = field(default_factory=dict)

    def find(self, key: bytes) -> Entry | None:
        return self.entries.get(key)

    def apply(self, changes: dict[bytes, Entry | None]) -> None:
        for key, entry in changes.items():
            if entry is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = entry

    def forget_expired(self, sequence: int) -> None:
        """No view would find them; this only gives back their memory."""
        self.entries = {
            key: entry
            for key, entry in self.entries.items()
            if entry.live_until is None or entry.live_until >= sequence
        }


class Footprint(Protocol):
    def read(self, key: bytes) -> None: ...
    def write(self, key: bytes) -> None: ...


@dataclass(slots=True)
class Recorded:
    """The footprint of a simulation: whatever was touched."""

    reads: dict[bytes, None] = field(default_factory=dict)
    writes: dict[bytes, None] = field(default_factory=dict)

    def read(self, key: bytes) -> None:
        if key not in self.writes:
            self.reads[key] = None

    def write(self, key: bytes) -> None:
        self.reads.pop(key, None)
        self.writes[key] = None


@dataclass(frozen=True, slots=True)
class Declared:
    """The footprint that a transaction declares and pays for: nothing else can be touched."""

    reads: frozenset[bytes]
    writes: frozenset[bytes]

    def read(self, key: bytes) -> None:
        if key not in self.reads and key not in self.writes:
            raise _outside(key, "read")

    def write(self, key: bytes) -> None:
        if key not in self.writes:
            raise _outside(key, "write")


def _outside(key: bytes, act: str) -> HostError:
    entry = xdr.LedgerKey.from_xdr_bytes(key).type.name.lower()
    return HostError(
        Kind.SCE_STORAGE,
        Code.SCEC_EXCEEDED_LIMIT,
        f"trying to {act} {entry} key outside of the footprint",
    )


class View:
    def __init__(
        self, below: "Readable | View", sequence: int, footprint: Footprint | None = None
    ) -> None:
        self.below = below
        self.sequence = sequence
        self.footprint = footprint
        self.changes: dict[bytes, Entry | None] = {}

    def find(self, key: bytes) -> Entry | None:
        """The entry as this view sees it; one whose life has ended is not there."""
        entry = self.changes[key] if key in self.changes else self.below.find(key)
        if entry is None or (entry.live_until is not None and entry.live_until < self.sequence):
            return None
        return entry

    def get(self, key: xdr.LedgerKey) -> xdr.LedgerEntryData | None:
        raw = key.to_xdr_bytes()
        if self.footprint is not None:
            self.footprint.read(raw)
        entry = self.find(raw)
        return None if entry is None else xdr.LedgerEntryData.from_xdr_bytes(entry.data)

    def put(
        self, key: xdr.LedgerKey, data: xdr.LedgerEntryData, live_until: int | None = None
    ) -> None:
        raw = key.to_xdr_bytes()
        if self.footprint is not None:
            self.footprint.write(raw)
        self.changes[raw] = Entry(data.to_xdr_bytes(), self.sequence, live_until)

    def extend(self, key: xdr.LedgerKey, live_until: int) -> None:
        """Only the life of what is there: it counts as reading."""
        raw = key.to_xdr_bytes()
        entry = self.find(raw)
        assert entry is not None
        self.changes[raw] = replace(entry, live_until=live_until)

    def life(self, key: xdr.LedgerKey) -> int | None:
        """The last ledger that will see the entry; None where there is none that ends."""
        raw = key.to_xdr_bytes()
        if self.footprint is not None:
            self.footprint.read(raw)
        entry = self.find(raw)
        return None if entry is None else entry.live_until

    def remove(self, key: xdr.LedgerKey) -> None:
        raw = key.to_xdr_bytes()
        if self.footprint is not None:
            self.footprint.write(raw)
        self.changes[raw] = None

    def account(self, name: str) -> xdr.AccountEntry | None:
        data = self.get(entries.account_key(name))
        return None if data is None else data.account

    def put_account(self, account: xdr.AccountEntry) -> None:
        name = entries.name_of(account.account_id)
        self.put(entries.account_key(name), entries.of_account(account))

    def trustline(self, name: str, asset: Asset) -> xdr.TrustLineEntry | None:
        data = self.get(entries.trustline_key(name, asset))
        return None if data is None else data.trust_line

    def put_trustline(self, name: str, asset: Asset, line: xdr.TrustLineEntry) -> None:
        self.put(entries.trustline_key(name, asset), entries.of_trustline(line))

    def value(self, key: xdr.LedgerKey) -> xdr.SCVal | None:
        data = self.get(key)
        if data is None:
            return None
        assert data.contract_data is not None
        return data.contract_data.val

    def put_value(self, key: xdr.LedgerKey, value: xdr.SCVal, live_until: int) -> None:
        self.put(key, entries.of_data(key, value), live_until)

    def merge(self) -> None:
        """Make the changes the lower view's own."""
        assert isinstance(self.below, View)
        self.below.changes.update(self.changes)

    def differences(self) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
        """(key, before, after) of everything changed here, in the order of the keys."""
        for key in sorted(self.changes):
            before = self.below.find(key)
            if before is not None or self.changes[key] is not None:
                yield key, before, self.changes[key]
