"""Reading the gateway's JSON: exact types; unknown members are ignored, they may be newer than us.

Binary members come in hex or in either base64 alphabet; wallets return the standard one.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from apicharge_client.errors import BadDocument

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
INTEGER_MAX = 2**53 - 1


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Either alphabet, padding optional. Raises ValueError."""
    bare = text.rstrip("=").replace("+", "-").replace("/", "_")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", bare):
        raise ValueError("not base64")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error as exc:
        raise ValueError("not base64") from exc


@dataclass(frozen=True, slots=True)
class Document:
    members: Mapping[str, object]
    what: str

    @staticmethod
    def parse(body: bytes, what: str) -> "Document":
        if len(body) > DOCUMENT_BYTES_MAX:
            raise BadDocument(f"{what}: larger than {DOCUMENT_BYTES_MAX} bytes")
        try:
            return Document.of(json.loads(body), what)
        except (ValueError, RecursionError) as exc:
            raise BadDocument(f"{what}: not JSON") from exc

    @staticmethod
    def of(value: object, what: str) -> "Document":
        if not isinstance(value, dict):
            raise BadDocument(f"{what}: not a JSON object")
        return Document(value, what)

    def text(self, name: str) -> str:
        value = self.members.get(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.members.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        value = self.members.get(name)
        if type(value) is not int or not 0 <= value <= INTEGER_MAX:
            raise self.wrong(name, "an integer from 0 to 2**53 - 1")
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self.members.get(name) is None else self.integer(name)

    def flag(self, name: str) -> bool:
        value = self.members.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in choices:
            raise self.wrong(name, " or ".join(choices))
        return value

    def amount(self, name: str) -> int:
        """Base units, as a decimal text."""
        value = self.text(name)
        if not re.fullmatch(r"0|[1-9][0-9]{0,37}", value):
            raise self.wrong(name, "an amount in base units, written as a text")
        return int(value)

    def hex(self, name: str, length: int) -> bytes:
        value = self.text(name)
        if not re.fullmatch(f"[0-9a-f]{{{2 * length}}}", value):
            raise self.wrong(name, f"{length} bytes in hex")
        return bytes.fromhex(value)

    def binary(self, name: str, length: int) -> bytes:
        """Hex or base64, told apart by their length."""
        value = self.text(name)
        if len(value) == 2 * length:
            return self.hex(name, length)
        try:
            raw = decode(value)
        except ValueError:
            raw = b""
        if len(raw) != length:
            raise self.wrong(name, f"{length} bytes")
        return raw

    def object(self, name: str) -> "Document":
        return Document.of(self.members.get(name), f"{self.what}, {name}")

    def objects(self, name: str) -> list["Document"]:
        value = self.members.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return [Document.of(item, f"{self.what}, {name}") for item in value]

    def wrong(self, name: str, expected: str) -> BadDocument:
        return BadDocument(f"{self.what}: {name} is not {expected}")
