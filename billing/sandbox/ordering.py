"""The order of values that the network's host has: by type, then by content."""

from typing import TypeAlias

from stellar_sdk import xdr

from billing.sandbox.values import NUMBERS

Rank: TypeAlias = tuple["int | bytes | Rank", ...]


def rank(value: xdr.SCVal) -> Rank:
    """Ranks of two values compare as the values do."""
    return (value.type.value, *_content(value))


def compare(left: xdr.SCVal, right: xdr.SCVal) -> int:
    one, other = rank(left), rank(right)
    return (one > other) - (one < other)


def _content(value: xdr.SCVal) -> Rank:
    if value.type in NUMBERS:
        return (NUMBERS[value.type].read(value),)
    if value.vec is not None:
        return tuple(rank(item) for item in value.vec.sc_vec)
    if value.map is not None:
        return tuple(rank(part) for entry in value.map.sc_map for part in (entry.key, entry.val))
    return (value.i32.int32 if value.i32 is not None else _raw(value),)


def _raw(value: xdr.SCVal) -> bytes:
    if value.bytes is not None:
        return value.bytes.sc_bytes
    if value.str is not None:
        return value.str.sc_string
    if value.sym is not None:
        return value.sym.sc_symbol
    # Booleans, unsigned numbers, addresses, errors: their XDR is big-endian and of one length.
    return value.to_xdr_bytes()
