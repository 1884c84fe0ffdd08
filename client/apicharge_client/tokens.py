"""Access tokens: the granted token, `~`, and a JWS of our own by the key that the grant names."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from apicharge_client.documents import Document, decode, encode
from apicharge_client.errors import BadDocument
from apicharge_client.keys import Key

ACCESS_TYP = "apicharge-access+jwt"
SEP53_TYP = "apicharge-access-sep53+jwt"
SEP53_PREFIX = b"Stellar Signed Message:\n"
MANAGE_SECONDS = 50  # The gateway takes at most 60; clocks differ.


def derive(
    granted: str,
    key: Key,
    *,
    expires_at: int,
    methods: Iterable[str] | None = None,
    path: str | None = None,
    act: str | None = None,
) -> str:
    """A token for the holder of `key`, as narrow as the caller likes. Nobody is asked."""
    signing_input = unsigned(_claims(granted, expires_at, methods, path, act))
    return f"{granted}~{signing_input}.{encode(key.sign(signing_input.encode()))}"


def derive_sep53(granted: str, key: Key, *, expires_at: int, path: str | None = None) -> str:
    """The same, signed as wallets sign messages (SEP-53)."""
    claims = _claims(granted, expires_at, None, path, None)
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


def _claims(
    granted: str,
    expires_at: int,
    methods: Iterable[str] | None,
    path: str | None,
    act: str | None,
) -> dict[str, object]:
    digest = hashlib.sha256(granted.encode("ascii")).hexdigest()
    scope = {
        "methods": None if methods is None else sorted({method.upper() for method in methods}),
        "path": path,
        "act": act,
    }
    stated = {name: value for name, value in scope.items() if value is not None}
    return {"exp": expires_at, "grant": digest, **stated}


def _compact(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
