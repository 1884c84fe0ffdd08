"""Secrets that lie in the database, sealed by a key that does not."""

import base64
import hashlib

from django.conf import settings
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

PURPOSE = b"apicharge accounts: seeds of codes"


class Unreadable(Exception):
    """Sealed by another secret key, or by nobody."""


def seal(text: str) -> str:
    return base64.b64encode(_box().encrypt(text.encode())).decode()


def opened(sealed: str) -> str:
    try:
        return _box().decrypt(base64.b64decode(sealed)).decode()
    except (CryptoError, ValueError) as exc:
        raise Unreadable("A seed was sealed by another APICHARGE_SECRET_KEY.") from exc


def _box() -> SecretBox:
    key = settings.SECRET_KEY.encode()
    return SecretBox(
        hashlib.blake2b(key, digest_size=SecretBox.KEY_SIZE, person=PURPOSE[:16]).digest()
    )
