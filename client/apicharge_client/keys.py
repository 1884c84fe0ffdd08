"""The buyer's key: a Stellar secret (S…) or 32 bytes in hex, from a file or the environment.

Never from an argument, where `ps` and the shell's history would show it.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from stellar_sdk import StrKey
from stellar_sdk.exceptions import Ed25519SecretSeedInvalidError

from apicharge_client.errors import KeyProblem

KEY = "APICHARGE_KEY"
KEY_FILE = "APICHARGE_KEY_FILE"
ACCESS_LABEL = b"apicharge-access-key-v1"
KEY_HINT = f"Make one with `apicharge keygen FILE` and set {KEY_FILE}=FILE, or set {KEY} to S…"


@dataclass(frozen=True, slots=True)
class Key:
    seed: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        return bytes(SigningKey(self.seed).verify_key)

    @property
    def address(self) -> str:
        return StrKey.encode_ed25519_public_key(self.public)

    @property
    def secret(self) -> str:
        return StrKey.encode_ed25519_secret_seed(self.seed)

    def sign(self, message: bytes) -> bytes:
        return SigningKey(self.seed).sign(message).signature

    def access_key(self, issuer: str, route: str) -> "Key":
        """The key that calls a route. It moves no money, and the buyer's key can make it again."""
        message = b"\0".join([ACCESS_LABEL, issuer.encode(), route.encode()])
        return Key(hmac.new(self.seed, message, hashlib.sha256).digest())


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def from_text(text: str) -> Key:
    text = text.strip()
    if len(text) == 64:
        try:
            return Key(bytes.fromhex(text))
        except ValueError as exc:
            raise KeyProblem("The buyer key is 64 characters, but not hex.", KEY_HINT) from exc
    try:
        return Key(StrKey.decode_ed25519_secret_seed(text))
    except (Ed25519SecretSeedInvalidError, ValueError) as exc:
        raise KeyProblem("The buyer key is neither S… nor 64 hex digits.", KEY_HINT) from exc


def from_file(path: Path) -> Key:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyProblem(f"{path} can be read by others.", f"Run: chmod 600 {path}")
        return from_text(path.read_text())
    except OSError as exc:
        raise KeyProblem(f"The buyer key {path} cannot be read: {exc.strerror}.", KEY_HINT) from exc


def from_environment(environ: Mapping[str, str]) -> Key:
    if text := environ.get(KEY):
        return from_text(text)
    if path := environ.get(KEY_FILE):
        return from_file(Path(path))
    raise KeyProblem("There is no buyer key.", KEY_HINT)


def generate(path: Path) -> Key:
    """A new key in a new file that its owner alone can read. Never replaces one."""
    key = Key(secrets.token_bytes(32))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        raise KeyProblem(f"{path} exists already.", "Choose another name; keys are kept.") from exc
    except OSError as exc:
        hint = "" if path.parent.exists() else f"Make its folder: mkdir -p -m 700 {path.parent}"
        raise KeyProblem(f"{path} cannot be written: {exc.strerror}.", hint) from exc
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{key.secret}\n")
    return key
