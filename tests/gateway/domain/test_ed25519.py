import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import ed25519
from tests.architecture.source import ALL, ROOT, imports
from tests.vectors import rfc8032

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
MAY_SIGN = ("billing/", "marketplace/")
# The eight points of order 1, 2, 4 and 8, and two that are not canonical (libsodium's list).
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
]


def test_rfc_8032_first_vector_holds() -> None:
    assert ed25519.public_key(SEED) == PUBLIC
    assert ed25519.sign(SEED, b"") == SIGNATURE
    assert ed25519.verify(PUBLIC, b"", SIGNATURE)


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_key_of_small_order_verifies_nothing(point: str) -> None:
    # With such a key, R = the key and S = 0 satisfy the equation for many messages.
    for nonce in SMALL_ORDER:
        assert not ed25519.verify(bytes.fromhex(point), b"x", bytes.fromhex(nonce) + bytes(32))


def test_unreduced_scalar_is_refused() -> None:
    scalar = int.from_bytes(SIGNATURE[32:], "little") + rfc8032.L
    assert not ed25519.verify(PUBLIC, b"", SIGNATURE[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_key_of_wrong_length_is_refused(length: int) -> None:
    assert not ed25519.verify((PUBLIC * 2)[:length], b"", SIGNATURE)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signature_of_wrong_length_is_refused(length: int) -> None:
    assert not ed25519.verify(PUBLIC, b"", (SIGNATURE * 2)[:length])


@given(bit=st.integers(0, 511))
def test_flipped_bit_is_refused(bit: int) -> None:
    flipped = bytearray(SIGNATURE)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not ed25519.verify(PUBLIC, b"", bytes(flipped))


@settings(max_examples=20, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300))
def test_signatures_are_those_of_the_rfc(seed: bytes, message: bytes) -> None:
    assert ed25519.sign(seed, message) == rfc8032.sign(seed, message)
    assert ed25519.verify(rfc8032.public_key(seed), message, rfc8032.sign(seed, message))


def test_only_billing_and_marketplace_sign() -> None:
    signers = {
        str(path)
        for path in ALL
        for _, name in imports(path)
        if name in {"gateway.domain.ed25519.sign", "nacl.signing.SigningKey"}
    }
    assert {path for path in signers if not path.startswith(MAY_SIGN)} == {
        "gateway/domain/ed25519.py"
    }


def test_gateway_calls_no_sign() -> None:
    gateway = [p for p in ALL if p.parts[0] == "gateway" and p.name != "ed25519.py"]
    assert [p for p in gateway if "ed25519.sign(" in (ROOT / p).read_text()] == []
