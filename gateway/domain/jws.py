"""Compact JWS (RFC 7515) framing and base64, as strict as a token that is a cache key has to be.

A token has exactly one spelling: base64url without padding, without white space and with zero
trailing bits; JSON in UTF-8 without duplicate keys, and numbers are integers within ±(2**53 - 1).
Whatever else is refused, so that nobody can make a second string out of a token that verifies.

Nothing here decides which algorithm is right: the header is returned and its reader compares all
of it (tokens.py).
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

TOKEN_CHARS_MAX = 8192  # The largest header that every common proxy passes.
INTEGER_MAX = 2**53 - 1  # Exact in every JSON reader.
_URLSAFE = re.compile(r"[A-Za-z0-9_-]*")
_STANDARD = re.compile(r"[A-Za-z0-9+/]*")
_TO_URLSAFE = str.maketrans("+/", "-_")


class JwsError(ValueError):
    """The text is not a compact JWS, or not in its one spelling."""


@dataclass(frozen=True, slots=True)
class Jws:
    header: dict[str, object]
    payload: dict[str, object]
    signing_input: bytes
    signature: bytes


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Bytes of the canonical base64url form, and of no other."""
    if not _URLSAFE.fullmatch(text):
        raise JwsError("not base64url")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as exc:
        raise JwsError("base64url of an impossible length") from exc
    if encode(raw) != text:
        raise JwsError("base64url with trailing bits")
    return raw


def decode_binary(text: str) -> bytes:
    """Bytes of a binary field of the API: either base64 alphabet, padding optional, never mixed."""
    bare = text.rstrip("=")
    if len(text) != len(bare) and (len(text) % 4 or len(text) - len(bare) > 2):
        raise JwsError("base64 with wrong padding")
    return decode(bare.translate(_TO_URLSAFE) if _STANDARD.fullmatch(bare) else bare)


def decode_loosely(text: str) -> bytes:
    """As many bytes as can be read from either alphabet: to recognise, never to verify."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "", text.translate(_TO_URLSAFE))
    return base64.urlsafe_b64decode(kept[: len(kept) // 4 * 4])


def parse(compact: str) -> Jws:
    if len(compact) > TOKEN_CHARS_MAX:
        raise JwsError(f"longer than {TOKEN_CHARS_MAX} characters")
    segments = compact.split(".")
    if len(segments) != 3:
        raise JwsError("not three segments")
    header, payload, signature = (decode(segment) for segment in segments)
    signing_input = f"{segments[0]}.{segments[1]}".encode("ascii")
    return Jws(_json_object(header), _json_object(payload), signing_input, signature)


def signing_input(header: Mapping[str, object], payload: Mapping[str, object]) -> bytes:
    return f"{encode(_compact(header))}.{encode(_compact(payload))}".encode("ascii")


def assemble(signing_input: bytes, signature: bytes) -> str:
    return f"{signing_input.decode('ascii')}.{encode(signature)}"


def _compact(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _json_object(raw: bytes) -> dict[str, object]:
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_int=_small_integer,
            parse_float=_no_such_number,
            parse_constant=_no_such_number,
        )
        # An escaped lone surrogate parses, and would fail in whoever writes the string next.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as exc:
        raise JwsError("JSON nested too deeply") from exc
    except UnicodeError as exc:
        raise JwsError("not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise JwsError("not JSON") from exc
    if not isinstance(value, dict):
        raise JwsError("not a JSON object")
    return value


def _without_duplicates(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise JwsError("JSON with a duplicate key")
        members[name] = value
    return members


def _small_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > INTEGER_MAX:
        raise JwsError("JSON with an integer beyond 2**53 - 1")
    return int(digits)


def _no_such_number(text: str) -> NoReturn:
    raise JwsError(f"JSON with {text[:20]}, which is not an integer")
