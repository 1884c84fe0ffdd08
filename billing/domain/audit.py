"""The audit log is a chain: each entry's hash covers its content and the hash before it.

    hash = sha256("apicharge-audit-v1\\0" ‖ previous hash (32 bytes) ‖ RFC 8785 form of the entry)

The first entry follows 32 zero bytes. Numbers run from 1 without a gap. So a changed, removed,
inserted or swapped entry breaks the chain where it is, and a removed tail no longer ends at the
head that is kept beside it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import rfc8785

GENESIS = "00" * 32
DOMAIN = b"apicharge-audit-v1\0"


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened. Times are Unix milliseconds; `detail` is flat, and holds no secret."""

    number: int
    at_ms: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Link:
    entry: Entry
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Intact:
    entries: int
    head: str


@dataclass(frozen=True, slots=True)
class Broken:
    number: int
    reason: str


def link_hash(entry: Entry, previous: str) -> str:
    canonical = rfc8785.dumps(
        {
            "number": entry.number,
            "at_ms": entry.at_ms,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": dict(entry.detail),
        }
    )
    return hashlib.sha256(DOMAIN + bytes.fromhex(previous) + canonical).hexdigest()


def verify(links: Iterable[Link], *, head_number: int, head_hash: str) -> Intact | Broken:
    """Follow the chain from its beginning to the head that it must end at."""
    number, previous = 0, GENESIS
    for link in links:
        number += 1
        if link.entry.number != number:
            return Broken(number, f"entry {number} is missing; {link.entry.number} follows")
        if link.previous != previous:
            return Broken(number, "does not follow the entry before it")
        if link_hash(link.entry, previous) != link.hash:
            return Broken(number, "content does not match its hash")
        previous = link.hash
    if (number, previous) != (head_number, head_hash):
        return Broken(number + 1, f"the log ends at {number}, its head says {head_number}")
    return Intact(number, previous)
