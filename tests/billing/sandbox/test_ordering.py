"""Values compare by type, then by content."""

import itertools

import pytest
from stellar_sdk import StrKey, scval, xdr

from billing.sandbox.ordering import compare

ACCOUNT = StrKey.encode_ed25519_public_key(bytes([9]) * 32)
ASCENDING = [
    scval.to_bool(False),
    scval.to_bool(True),
    scval.to_void(),
    scval.to_uint32(1),
    scval.to_uint32(2**32 - 1),
    scval.to_int32(-5),
    scval.to_int32(4),
    scval.to_uint64(7),
    scval.to_uint64(2**60),
    scval.to_int128(-(2**100)),
    scval.to_int128(3),
    scval.to_bytes(b"a"),
    scval.to_bytes(b"ab"),
    scval.to_bytes(b"b"),
    scval.to_string("x"),
    scval.to_symbol("Admin"),
    scval.to_symbol("Paused"),
    scval.to_vec([scval.to_symbol("Admin")]),
    scval.to_vec([scval.to_symbol("Admin"), scval.to_void()]),
    scval.to_vec([scval.to_symbol("Paused")]),
    scval.to_map({scval.to_symbol("a"): scval.to_uint32(1)}),
    scval.to_map({scval.to_symbol("a"): scval.to_uint32(2)}),
    scval.to_address(ACCOUNT),
    scval.to_address(StrKey.encode_contract(bytes(32))),
]


@pytest.mark.parametrize(("less", "more"), [*itertools.pairwise(ASCENDING)])
def test_earlier_is_less(less: xdr.SCVal, more: xdr.SCVal) -> None:
    assert (compare(less, more), compare(more, less), compare(more, more)) == (-1, 1, 0)
