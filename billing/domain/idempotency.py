"""Idempotency-Key: the same request gets the same answer, for 24 hours, in the scope (buyer, key).

A request is the same when its parsed body is: the fingerprint is over the RFC 8785 form, so white
space and the order of members do not matter.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

import rfc8785

REMEMBERED_SECONDS = 24 * 3600
# An instruction takes seconds; a claim older than this belongs to a process that died.
CLAIM_SECONDS = 60
KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


class Standing(StrEnum):
    FRESH = "fresh"  # Nothing is remembered (any more): go ahead.
    REPLAY = "replay"
    IN_FLIGHT = "in_flight"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Remembered:
    fingerprint: str
    claimed_at_s: float
    answered: bool


def is_key(text: str) -> bool:
    return KEY.fullmatch(text) is not None


def fingerprint(body: dict[str, object]) -> str:
    """May raise `rfc8785.CanonicalizationError` for JSON that has no canonical form."""
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()  # type: ignore[arg-type] # JSON by origin


def judge(row: Remembered | None, *, fingerprint: str, now_s: float) -> Standing:
    if row is None or now_s >= row.claimed_at_s + REMEMBERED_SECONDS:
        return Standing.FRESH
    if row.fingerprint != fingerprint:
        return Standing.MISMATCH
    if row.answered:
        return Standing.REPLAY
    return Standing.FRESH if now_s >= row.claimed_at_s + CLAIM_SECONDS else Standing.IN_FLIGHT
