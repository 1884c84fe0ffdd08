"""What a buyer signs, byte for byte, and what is taken back from the buyer."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Keypair, xdr
from stellar_sdk.auth import authorize_entry

from billing.domain.errors import AuthorizationInvalid
from billing.rails.stellar import calls
from marketplace.domain.chains import sandbox
from tests.billing.rails.vectors import SIGNER, order_of
from tests.vectors.contract import KNOWN, PAID

CHAIN = sandbox()
each = pytest.mark.parametrize("vector", PAID, ids=lambda vector: vector["label"])


def entry_of(vector: dict[str, Any]) -> xdr.SorobanAuthorizationEntry:
    return calls.unsigned_entry(
        calls.invocation(order_of(vector), SIGNER, CHAIN),
        KNOWN["buyer"],
        nonce=int(KNOWN["nonce"]),
        valid_until=KNOWN["valid_until_ledger"],
    )


def offer(vector: dict[str, Any], offered: str) -> str:
    return calls.checked_offer(
        vector["entry_xdr"], offered, buyer=KNOWN["buyer"], passphrase=CHAIN.passphrase
    )


@each
def test_entry_preimage_and_hash_are_those_of_the_vector(vector: dict[str, Any]) -> None:
    entry = entry_of(vector)
    assert entry.to_xdr() == vector["entry_xdr"]
    assert calls.preimage(entry, CHAIN.passphrase).to_xdr() == vector["preimage_xdr"]
    assert calls.signing_hash(entry, CHAIN.passphrase).hex() == vector["authorization_to_sign"]


@each
def test_valid_signature_makes_the_signed_entry_of_the_vector(vector: dict[str, Any]) -> None:
    signed = calls.checked_entry(
        vector["entry_xdr"],
        buyer=KNOWN["buyer"],
        signature=bytes.fromhex(vector["signature"]),
        passphrase=CHAIN.passphrase,
    )
    assert signed == vector["signed_entry_xdr"]


@each
def test_signed_entry_is_the_one_that_the_sdk_makes(vector: dict[str, Any]) -> None:
    keypair = Keypair.from_raw_ed25519_seed(bytes.fromhex(KNOWN["buyer_seed"]))
    until = KNOWN["valid_until_ledger"]
    signed = authorize_entry(vector["entry_xdr"], keypair, until, CHAIN.passphrase)
    assert signed.to_xdr() == vector["signed_entry_xdr"]


@each
def test_signature_is_read_from_a_signed_entry(vector: dict[str, Any]) -> None:
    assert calls.signature_in(vector["signed_entry_xdr"]).hex() == vector["signature"]
    assert offer(vector, vector["signed_entry_xdr"]) == vector["signed_entry_xdr"]


@given(st.integers(0, 63), st.integers(1, 255))
def test_signature_with_a_changed_byte_is_refused(at: int, flip: int) -> None:
    vector = PAID[0]
    signature = bytearray.fromhex(vector["signature"])
    signature[at] ^= flip
    with pytest.raises(AuthorizationInvalid):
        calls.checked_entry(
            vector["entry_xdr"],
            buyer=KNOWN["buyer"],
            signature=bytes(signature),
            passphrase=CHAIN.passphrase,
        )


@given(st.data())
def test_entry_with_a_changed_byte_is_refused(data: st.DataObject) -> None:
    vector = PAID[1]
    raw = bytearray(base64.b64decode(vector["signed_entry_xdr"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    changed = base64.b64encode(raw).decode()
    with pytest.raises(AuthorizationInvalid):
        offer(vector, changed)


@pytest.mark.parametrize("offered", ["", "AAAA", PAID[0]["preimage_xdr"], "x" * 5000])
def test_what_is_no_entry_is_refused(offered: str) -> None:
    with pytest.raises(AuthorizationInvalid):
        offer(PAID[0], offered)


def test_unsigned_entry_is_refused() -> None:
    with pytest.raises(AuthorizationInvalid, match="exactly one signature"):
        offer(PAID[0], PAID[0]["entry_xdr"])


def test_signed_entry_of_another_purchase_is_refused() -> None:
    with pytest.raises(AuthorizationInvalid, match="not the buyer's"):
        offer(PAID[0], PAID[1]["signed_entry_xdr"])
