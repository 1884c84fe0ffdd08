"""How much of its leases a process has spent, where a `kill -9` cannot take it.

A file of 8-byte words, memory-mapped and shared: the kernel keeps every store made before the
process died. One word is one store of the processor (a native 'Q' in a memoryview), so none is
ever half written. The file is locked (flock) for as long as its process lives: who can take the
lock knows that the process is dead. The boot id says that the machine did not die with it: after a
reboot the words may be older than what was served, so nothing is believed.

    0  magic
    1  the words of the file
    2  boot id, 36 bytes of ASCII
    8  node id, 16 bytes
   16  the slots: units spent, one word each
"""

import fcntl
import mmap
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

MAGIC = int.from_bytes(b"apichrg1", "little")
WORD_BYTES = 8
SLOTS_FROM = 16
SLOTS_MAX = 65_536  # 512 KiB; one lease each, so as many busy limits as one process can serve.
SIZE_BYTES = (SLOTS_FROM + SLOTS_MAX) * WORD_BYTES
BOOT_ID_AT = 2 * WORD_BYTES
NODE_ID_AT = 8 * WORD_BYTES
SWEEP_AFTER_S = 24 * 3600
BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


class JournalFull(Exception):
    """More leases at once than slots."""


def boot_id() -> str:
    return BOOT_ID_FILE.read_text().strip()


def path_of(directory: Path, node_id: UUID) -> Path:
    return directory / f"{node_id}.journal"


class Journal:
    """The living process's own. `words[slot]` counts the units spent of the lease in that slot."""

    def __init__(self, directory: Path, node_id: UUID, boot: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(directory, boot)
        self.path = path_of(directory, node_id)
        # Locked before it gets its name: a journal that can be seen unlocked has a dead owner.
        draft = self.path.with_suffix(".draft")
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Real blocks: a full disk must be an error here, not a SIGBUS in the middle of a request.
        os.posix_fallocate(self._descriptor, 0, SIZE_BYTES)
        self._map = mmap.mmap(self._descriptor, SIZE_BYTES)
        self._map[BOOT_ID_AT : BOOT_ID_AT + 36] = boot.encode()
        self._map[NODE_ID_AT : NODE_ID_AT + 16] = node_id.bytes
        self.words = memoryview(self._map).cast("Q")
        self.words[0], self.words[1] = MAGIC, SLOTS_FROM + SLOTS_MAX
        draft.rename(self.path)
        self._free: list[int] = []
        self._unused = SLOTS_FROM

    def take_slot(self) -> int:
        if self._free:
            slot = self._free.pop()
        elif self._unused < SLOTS_FROM + SLOTS_MAX:
            slot = self._unused
            self._unused += 1
        else:
            raise JournalFull
        self.words[slot] = 0
        return slot

    def free_slot(self, slot: int) -> None:
        """Only once the ledger has no lease in this slot any more."""
        self._free.append(slot)

    def close(self, *, remove: bool) -> None:
        self.words.release()
        self._map.close()
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


@dataclass(slots=True)
class DeadJournal:
    """A journal whose process is proven dead, for as long as we hold its lock."""

    path: Path
    _descriptor: int

    def spent(self, slot: int) -> int:
        word = os.pread(self._descriptor, WORD_BYTES, slot * WORD_BYTES)
        return int.from_bytes(word, sys.byteorder)

    def release(self, *, remove: bool) -> None:
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def open_dead(path: Path, node_id: UUID, boot: str) -> DeadJournal | None:
    """None while its process lives, and for any file that is not that node's of this boot."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    if not _belongs(descriptor, node_id, boot):
        os.close(descriptor)
        return None
    return DeadJournal(path, descriptor)


def peek(path: Path, node_id: UUID, boot: str, slot: int) -> int | None:
    """What a living neighbour has spent; None when its file is not to be seen from here."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        if not _belongs(descriptor, node_id, boot):
            return None
        word = os.pread(descriptor, WORD_BYTES, slot * WORD_BYTES)
        return int.from_bytes(word, sys.byteorder)
    finally:
        os.close(descriptor)


def _header(descriptor: int) -> bytes | None:
    header = os.pread(descriptor, SLOTS_FROM * WORD_BYTES, 0)
    is_ours = int.from_bytes(header[:WORD_BYTES], sys.byteorder) == MAGIC
    return header if is_ours and len(header) == SLOTS_FROM * WORD_BYTES else None


def _boot_of(header: bytes) -> bytes:
    return header[BOOT_ID_AT : BOOT_ID_AT + 36]


def _belongs(descriptor: int, node_id: UUID, boot: str) -> bool:
    header = _header(descriptor)
    return (
        header is not None
        and _boot_of(header) == boot.encode()
        and header[NODE_ID_AT : NODE_ID_AT + 16] == node_id.bytes
    )


def _sweep(directory: Path, boot: str) -> None:
    """Journals of former boots prove nothing any more.

    Unless the directory is shared with another machine, whose processes settle their dead within
    seconds: so only what nobody locks and nobody has touched for a day.
    """
    for path in [*directory.glob("*.journal"), *directory.glob("*.draft")]:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue  # Its process has just left.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            header = _header(descriptor)
            age_s = time.time() - os.fstat(descriptor).st_mtime
            if header is not None and _boot_of(header) != boot.encode() and age_s > SWEEP_AFTER_S:
                path.unlink(missing_ok=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
