"""Access tokens: the granted token, `~`, and a JWS of our own by the key that the grant names."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TypedDict, Unpack

from apicharge_client.documents import Document, decode, encode
from apicharge_client.errors import BadDocument
from apicharge_client.keys import Key

ACCESS_TYP = "apicharge-access+jwt"
SEP53_TYP = "apicharge-access-sep53+jwt"
SEP53_PREFIX = b"Stellar Signed Message:\n"
MANAGE_SECONDS = 50  # The gateway takes at most 60; clocks differ.


class Scope(TypedDict, total=False):
    """What a token is narrowed to. By its `name` it is told from others, and revoked alone."""

    methods: Iterable[str] | None
    path: str | None
    act: str | None
    name: str | None


def derive(granted: str, key: Key, *, expires_at: int, **scope: Unpack[Scope]) -> str:
    """A token for the holder of `key`, as narrow as the caller likes. Nobody is asked."""
    signing_input = unsigned(_claims(granted, expires_at, scope))
    return f"{granted}~{signing_input}.{encode(key.sign(signing_input.encode()))}"


def derive_sep53(granted: str, key: Key, *, expires_at: int, **scope: Unpack[Scope]) -> str:
    """The same, signed as wallets sign messages (SEP-53)."""
    claims = _claims(granted, expires_at, scope)
    signing_input = unsigned(claims, SEP53_TYP)
    message = hashlib.sha256(SEP53_PREFIX + signing_input.encode()).digest()
    return f"{granted}~{signing_input}.{encode(key.sign(message))}"


def unsigned(claims: Mapping[str, object], typ: str = ACCESS_TYP) -> str:
    return ".".join(encode(_compact(part)) for part in ({"alg": "EdDSA", "typ": typ}, claims))


def claims_of(granted: str) -> Document:
    """What a granted token says. The gateway checks its signature; we compare it to the quote."""
    segments = granted.split(".")
    if len(segments) != 3:
        raise BadDocument("The granted access token is not a JWS")
    try:
        return Document.parse(decode(segments[1]), "The granted access token")
    except ValueError as exc:
        raise BadDocument("The granted access token is not base64url") from exc


def _claims(granted: str, expires_at: int, scope: Scope) -> dict[str, object]:
    digest = hashlib.sha256(granted.encode("ascii")).hexdigest()
    methods = scope.get("methods")
    said = {
        "methods": None if methods is None else sorted({method.upper() for method in methods}),
        "path": scope.get("path"),
        "act": scope.get("act"),
        "jti": scope.get("name"),
    }
    stated = {name: value for name, value in said.items() if value is not None}
    return {"exp": expires_at, "grant": digest, **stated}


def _compact(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
