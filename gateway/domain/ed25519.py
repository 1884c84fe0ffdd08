"""The one place where ed25519 signatures are made and checked.

libsodium is strict where libraries differ: it refuses keys and nonces of small order, keys that are
not canonical, and a signature whose scalar is not reduced. So a valid signature has one spelling,
and what one node accepts every node and the chain accept.
"""

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is valid. Whatever is malformed is not."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        VerifyKey(public_key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def sign(seed: bytes, message: bytes) -> bytes:
    return SigningKey(seed).sign(message).signature


def public_key(seed: bytes) -> bytes:
    return bytes(SigningKey(seed).verify_key)
