"""Transaction envelopes as they arrive: parsed once, hashed as their signers did."""

import hashlib
from dataclasses import dataclass

from stellar_sdk import StrKey, xdr

from billing.sandbox import network
from billing.sandbox.decoding import UNREADABLE

ENVELOPE_BYTES_MAX = 132_096


class EnvelopeError(ValueError):
    """Not an envelope that this network reads."""


@dataclass(frozen=True, slots=True)
class Envelope:
    raw: bytes
    hash: bytes
    inner: xdr.TransactionV1Envelope
    inner_hash: bytes
    bump: xdr.FeeBumpTransactionEnvelope | None

    @property
    def transaction(self) -> xdr.Transaction:
        return self.inner.tx

    @property
    def source(self) -> str:
        return account_of(self.inner.tx.source_account)

    @property
    def fee_source(self) -> str:
        return self.source if self.bump is None else account_of(self.bump.tx.fee_source)

    @property
    def fee_bid(self) -> int:
        return self.inner.tx.fee.uint32 if self.bump is None else self.bump.tx.fee.int64

    @property
    def sequence(self) -> int:
        return self.inner.tx.seq_num.sequence_number.int64

    @property
    def soroban_data(self) -> xdr.SorobanTransactionData | None:
        return self.inner.tx.ext.soroban_data

    @property
    def resource_fee(self) -> int:
        return 0 if self.soroban_data is None else self.soroban_data.resource_fee.int64

    @property
    def inclusion_fee(self) -> int:
        """What this transaction costs beside its resources while nobody outbids it."""
        operations = len(self.inner.tx.operations) + (self.bump is not None)
        return operations * network.BASE_FEE_STROOPS

    def operation_source(self, operation: xdr.Operation) -> str:
        given = operation.source_account
        return self.source if given is None else account_of(given)


def account_of(account: xdr.MuxedAccount) -> str:
    raw = account.ed25519 if account.med25519 is None else account.med25519.ed25519
    assert raw is not None
    return StrKey.encode_ed25519_public_key(raw.uint256)


def read(raw: bytes) -> Envelope:
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise EnvelopeError("the envelope is too large")
    try:
        parsed = xdr.TransactionEnvelope.from_xdr_bytes(raw)
        canonical = parsed.to_xdr_bytes() == raw
    except UNREADABLE as problem:
        raise EnvelopeError("invalid_xdr") from problem
    if not canonical:
        raise EnvelopeError("invalid_xdr")
    if parsed.v1 is not None:
        digest = _hash_of(parsed.v1.tx)
        return Envelope(raw, digest, parsed.v1, digest, None)
    if parsed.fee_bump is not None:
        inner = parsed.fee_bump.tx.inner_tx.v1
        assert inner is not None
        bump = parsed.fee_bump
        return Envelope(raw, _hash_of(bump.tx), inner, _hash_of(inner.tx), bump)
    raise EnvelopeError("envelopes of version 0 are not read")


def _hash_of(signed: xdr.Transaction | xdr.FeeBumpTransaction) -> bytes:
    if isinstance(signed, xdr.Transaction):
        tagged = xdr.TransactionSignaturePayloadTaggedTransaction(
            xdr.EnvelopeType.ENVELOPE_TYPE_TX, tx=signed
        )
    else:
        tagged = xdr.TransactionSignaturePayloadTaggedTransaction(
            xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP, fee_bump=signed
        )
    payload = xdr.TransactionSignaturePayload(xdr.Hash(network.NETWORK_ID), tagged)
    return hashlib.sha256(payload.to_xdr_bytes()).digest()
