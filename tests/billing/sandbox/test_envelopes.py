"""Envelopes hash as their signers hashed them; what cannot be read is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Account, Asset, Payment, TransactionBuilder, TransactionEnvelope, xdr

from billing.sandbox import network
from billing.sandbox.envelopes import EnvelopeError, read
from tests.billing.sandbox.town import person

ALICE, BOB = person(80), person(81)


def payment() -> TransactionEnvelope:
    builder = TransactionBuilder(Account(ALICE.public_key, 5), network.PASSPHRASE, 100)
    builder.append_operation(Payment(BOB.public_key, Asset.native(), "1"))
    te = builder.add_time_bounds(0, 0).build()
    te.sign(ALICE)
    return te


RAW = payment().to_xdr_object().to_xdr_bytes()


def test_hash_is_the_one_that_the_sdk_signed() -> None:
    envelope = read(RAW)
    assert envelope.hash == envelope.inner_hash == payment().hash()
    assert (envelope.source, envelope.sequence, envelope.fee_bid) == (ALICE.public_key, 6, 100)


def test_fee_bump_has_a_hash_of_its_own_around_the_inner_one() -> None:
    te = payment()
    outer = TransactionBuilder.build_fee_bump_transaction(
        BOB.public_key, 200, te, network.PASSPHRASE
    )
    envelope = read(outer.to_xdr_object().to_xdr_bytes())
    assert (envelope.hash, envelope.inner_hash) == (outer.hash(), te.hash())
    assert (envelope.source, envelope.fee_source) == (ALICE.public_key, BOB.public_key)
    assert envelope.inclusion_fee == 200


def deep(levels: int) -> bytes:
    """A contract call with an argument nested so deep."""
    value = xdr.SCVal(xdr.SCValType.SCV_VOID).to_xdr_bytes()
    return RAW + (b"\0\0\0\x10\0\0\0\x01\0\0\0\x01" * levels) + value


@pytest.mark.parametrize("raw", [b"", b"\0" * 4, RAW[:-1], RAW + b"\0", RAW * 2, deep(10_000)])
def test_bytes_that_are_no_envelope_are_refused(raw: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read(raw)


def test_padding_that_is_not_zero_is_refused() -> None:
    """Else one transaction would have several spellings."""
    builder = TransactionBuilder(Account(ALICE.public_key, 5), network.PASSPHRASE, 100)
    builder.append_operation(Payment(BOB.public_key, Asset.native(), "1"))
    raw = builder.add_text_memo("odd").add_time_bounds(0, 0).build().to_xdr_object().to_xdr_bytes()
    read(raw)
    with pytest.raises(EnvelopeError):
        read(raw.replace(b"odd\0", b"odd\1"))


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_changed_byte_is_refused_or_changes_the_hash_or_the_signature(place: int, by: int) -> None:
    changed = bytearray(RAW)
    changed[place] ^= by
    try:
        envelope = read(bytes(changed))
    except EnvelopeError:
        return
    original = read(RAW)
    same_signature = envelope.inner.signatures == original.inner.signatures
    assert envelope.hash != original.hash or not same_signature


@given(st.binary(max_size=300))
def test_noise_is_never_more_than_refused(noise: bytes) -> None:
    try:
        read(noise)
    except EnvelopeError:
        return
