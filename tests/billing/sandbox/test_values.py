"""The bits of CAP-46."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Address, StrKey, scval, xdr

from billing.sandbox.hosterrors import HostError, Kind
from billing.sandbox.values import Objects

CONTRACT = StrKey.encode_contract(bytes(32))
MUXED = Address("MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ")


def contract_error(number: int) -> xdr.SCVal:
    error = xdr.SCError(Kind.SCE_CONTRACT, contract_code=xdr.Uint32(number))
    return xdr.SCVal(xdr.SCValType.SCV_ERROR, error=error)


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (scval.to_bool(False), 0),
        (scval.to_bool(True), 1),
        (scval.to_void(), 2),
        (contract_error(7), 7 << 32 | 3),
        (scval.to_uint32(5), 5 << 32 | 4),
        (scval.to_int32(-1), 0xFFFFFFFF_000000_05),
        (scval.to_uint64(2**56 - 1), 0xFFFFFFFFFFFFFF06),
        (scval.to_int64(-1), 0xFFFFFFFFFFFFFF07),
        (scval.to_uint128(1), 0x10A),
        (scval.to_int128(-(2**55)), 0x800000000000000B),
        (scval.to_symbol(""), 14),
        (scval.to_symbol("a_Z0"), (((38 << 6 | 1) << 6 | 37) << 6 | 2) << 8 | 14),
    ],
)
def test_small_value_has_its_bits(value: xdr.SCVal, raw: int) -> None:
    objects = Objects()
    assert objects.give(value) == raw
    assert objects.take(raw) == value
    assert objects.held == []


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (scval.to_uint64(2**56), 64),
        (scval.to_int64(2**55), 65),
        (scval.to_int128(-(2**55) - 1), 69),
        (scval.to_bytes(b""), 72),
        (scval.to_string("x"), 73),
        (scval.to_symbol("ten_digits"), 74),
        (scval.to_vec([]), 75),
        (scval.to_map({}), 76),
        (scval.to_address(CONTRACT), 77),
        (scval.to_address(MUXED), 78),
    ],
)
def test_large_value_is_an_object_of_its_type(value: xdr.SCVal, tag: int) -> None:
    objects = Objects([scval.to_void()])
    raw = objects.give(value)
    assert raw == 1 << 32 | tag
    assert objects.take(raw) == value


@given(
    st.one_of(
        st.integers(0, 2**64 - 1).map(scval.to_uint64),
        st.integers(-(2**63), 2**63 - 1).map(scval.to_int64),
        st.integers(-(2**127), 2**127 - 1).map(scval.to_int128),
        st.integers(-(2**255), 2**255 - 1).map(scval.to_int256),
        st.integers(-(2**31), 2**31 - 1).map(scval.to_int32),
        st.from_regex(r"[a-zA-Z0-9_]{0,32}", fullmatch=True).map(scval.to_symbol),
    )
)
def test_value_comes_back(value: xdr.SCVal) -> None:
    objects = Objects()
    raw = objects.give(value)
    assert 0 <= raw < 2**64
    assert objects.take(raw) == value


@pytest.mark.parametrize(
    "raw", [72, 5 << 32 | 72, 1 << 32 | 73, 127, 63, 15, 99 << 8 | 3, 99 << 32 | 1 << 8 | 3]
)
def test_bits_that_nobody_was_given_are_refused(raw: int) -> None:
    objects = Objects([scval.to_void(), scval.to_bytes(b"held")])
    with pytest.raises(HostError) as refused:
        objects.take(raw)
    assert str(refused.value) == "Error(Value, InvalidInput)"


def test_what_is_no_value_of_a_contract_is_not_given() -> None:
    nonce = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(xdr.Int64(1)))
    with pytest.raises(HostError):
        Objects().give(nonce)
