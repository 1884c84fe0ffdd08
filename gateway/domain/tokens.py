"""Granted access tokens and the access tokens that their holders make from them.

    granted access token   JWS of ours, typ apicharge-grant+jwt
    access token           <granted>~<client JWS>, the second signed by the key that cnf names

`read` checks shape and signatures and knows no clock: its result can be cached by the presented
string. `admit` and its sisters say whether that token may do one thing now.

Everything is compared, nothing is ignored: a header parameter or claim that we do not know is a
refusal, since it may be a restriction. A token whose grant names a key is worthless without that
key's signature; a grant without one is a bearer token and its own access token.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.domain import ed25519, jws
from gateway.domain.claims import Claims
from gateway.domain.grants import HEX_256, Charge, Grant, Starts, TokenError, jwk, kid_of

__all__ = ["Charge", "Grant", "Starts", "TokenError", "jwk", "kid_of"]  # What a token is made of.

GRANT_TYP = "apicharge-grant+jwt"
ACCESS_TYP = "apicharge-access+jwt"
SEP53_TYP = "apicharge-access-sep53+jwt"
SEP53_PREFIX = b"Stellar Signed Message:\n"
MANAGE = "manage"
GRANT_NBF_SKEW_S = 5
MANAGE_LIFE_MAX_S = 60
"""A token that may revoke others is made for the moment."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_METHOD = re.compile(r"[A-Z][A-Z-]{0,19}")
_PATH = re.compile(r"/[!$&-;=@-Z_a-z~%]{0,1000}")
_ACT = re.compile(MANAGE)
_METHODS_MAX = 16
_HEADER_CHARS_MAX = 1024


class Reason(StrEnum):
    """Why a token is refused. REVOKED is said by those who see the revocations, not here."""

    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    REVOKED = "revoked"
    WRONG_AUDIENCE = "wrong_audience"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of a refusal
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105 - the name of a refusal
    GRANT_EXPIRED = "grant_expired"
    GRANT_NOT_YET_VALID = "grant_not_yet_valid"
    WRONG_GRANT = "wrong_grant"
    WRONG_ROUTE = "wrong_route"
    WRONG_METHOD = "wrong_method"
    WRONG_PATH = "wrong_path"
    WRONG_ACT = "wrong_act"


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token whose signatures hold. `key` is the whole presented string, to cache this under."""

    grant: Grant
    digest: bytes
    kid: str
    key: str
    client_id: str | None = None
    client_not_before: int | None = None
    client_expires_at: int | None = None
    methods: frozenset[str] | None = None
    path: str | None = None
    act: str | None = None
    bearer: bool = False


def read(token: str, keys: Mapping[str, bytes]) -> AccessToken | Refused:
    """Who may do what according to `token`; `keys` are the issuer's, by kid."""
    granted, tilde, client = token.partition("~")
    try:
        if len(token) > jws.TOKEN_CHARS_MAX:
            raise TokenError(f"a token has at most {jws.TOKEN_CHARS_MAX} characters")
        access = _read_granted(granted, keys, presented=token)
        if isinstance(access, Refused):
            return access
        if access.bearer and tilde:
            raise TokenError("a bearer grant is its own access token")
        if not access.bearer and not tilde:
            raise TokenError("this grant needs '~' and a token signed by its access key")
        return access if access.bearer else _read_client(access, client)
    except ValueError as exc:
        return Refused(Reason.MALFORMED, f"{exc}.")


def _read_granted(granted: str, keys: Mapping[str, bytes], presented: str) -> AccessToken | Refused:
    frame = jws.parse(granted)
    kid = _grant_kid(frame.header)
    if kid not in keys:
        return Refused(Reason.UNKNOWN_KEY, "The grant is signed by a key that is not ours.")
    if not ed25519.verify(keys[kid], frame.signing_input, frame.signature):
        return Refused(Reason.BAD_SIGNATURE, "The grant's signature does not verify.")
    grant = Grant.from_claims(frame.payload)
    digest = hashlib.sha256(granted.encode("ascii")).digest()
    return AccessToken(grant, digest, kid, presented, bearer=grant.access_key is None)


def _read_client(token: AccessToken, client: str) -> AccessToken | Refused:
    assert token.grant.access_key is not None
    frame = jws.parse(client)
    typ = frame.header.get("typ")
    if frame.header != {"alg": "EdDSA", "typ": typ} or typ not in (ACCESS_TYP, SEP53_TYP):
        raise TokenError("the client token's header is not exactly {alg: EdDSA, typ}")
    message = to_be_signed(frame.signing_input, sep53=typ == SEP53_TYP)
    if not ed25519.verify(token.grant.access_key, message, frame.signature):
        return Refused(Reason.BAD_SIGNATURE, "The client token's signature does not verify.")

    claims = Claims(frame.payload)
    claims.optional_integer("iat")  # Informational: the client's clock proves nothing.
    scoped = replace(
        token,
        client_id=claims.optional_text("jti", _CLIENT_ID),
        client_not_before=claims.optional_integer("nbf"),
        client_expires_at=claims.integer("exp"),
        methods=claims.optional_texts("methods", _METHOD, most=_METHODS_MAX),
        path=claims.optional_text("path", _PATH),
        act=claims.optional_text("act", _ACT),
    )
    if claims.text("grant", HEX_256) != token.digest.hex():
        raise TokenError("the client token was made for another grant")
    claims.nothing_left()
    return scoped


def admit(
    token: AccessToken, *, issuer: str, route: str, method: str, path: str, now_s: float
) -> Refused | None:
    """Why this token may not make this call now, or None. `path` is the part after the service."""
    if refused := _audience(token, issuer) or _grant_times(token, now_s):
        return refused
    if refused := _client_times(token, now_s):
        return refused
    if token.act is not None:
        return Refused(Reason.WRONG_ACT, "A token to manage a grant opens no route.")
    return _scope(token, route, method, path)


def steady(token: AccessToken) -> tuple[float, float]:
    """From when until when `admit` answers the same to the same question."""
    grant = token.grant
    since_s = max(grant.not_before - GRANT_NBF_SKEW_S, token.client_not_before or 0)
    if token.client_expires_at is None:
        return since_s, grant.expires_at
    return since_s, min(grant.expires_at, token.client_expires_at)


def _scope(token: AccessToken, route: str, method: str, path: str) -> Refused | None:
    if token.grant.route != route:
        return Refused(Reason.WRONG_ROUTE, f"This grant is for the route {token.grant.route}.")
    if token.methods is not None and method not in token.methods:
        return Refused(Reason.WRONG_METHOD, f"This token may not call {method}.")
    if token.path is not None and not _within(path, token.path):
        return Refused(Reason.WRONG_PATH, f"This token is for paths under {token.path}.")
    return None


def admit_holder(token: AccessToken, *, issuer: str, grant_id: str, now_s: float) -> Refused | None:
    """Why this token may not read about `grant_id`. An ended grant may be read about."""
    if refused := _audience(token, issuer) or _client_times(token, now_s):
        return refused
    if token.grant.id != grant_id:
        return Refused(Reason.WRONG_GRANT, "This token belongs to another grant.")
    return None


def admit_manage(token: AccessToken, *, issuer: str, grant_id: str, now_s: float) -> Refused | None:
    """Why this token may not revoke `grant_id` and its tokens, or list them."""
    if refused := admit_holder(token, issuer=issuer, grant_id=grant_id, now_s=now_s):
        return refused
    if token.act != MANAGE or token.client_expires_at is None:
        return Refused(Reason.WRONG_ACT, 'This needs a client token with "act": "manage".')
    if token.client_expires_at > now_s + MANAGE_LIFE_MAX_S:
        return Refused(
            Reason.WRONG_ACT, f"A token to manage a grant lives at most {MANAGE_LIFE_MAX_S} s."
        )
    return None


def is_ours(token: str) -> bool:
    """Whether `token` was meant for us. Lenient: a damaged token of ours never goes upstream."""
    return '"apicharge-' in _header_text(token).replace(" ", "").lower()


def grant_signing_input(grant: Grant, kid: str) -> bytes:
    return jws.signing_input({"alg": "EdDSA", "typ": GRANT_TYP, "kid": kid}, grant.claims())


def assemble(signing_input: bytes, signature: bytes) -> str:
    return jws.assemble(signing_input, signature)


def client_signing_input(  # noqa: PLR0913 - one argument a claim
    granted: str,
    *,
    expires_at: int,
    methods: Iterable[str] | None = None,
    path: str | None = None,
    act: str | None = None,
    id: str | None = None,  # noqa: A002 - as in Grant
    issued_at: int | None = None,
    sep53: bool = False,
) -> bytes:
    """What the holder of the access key signs to make an access token."""
    scope = {
        "iat": issued_at,
        "jti": id,
        "methods": None if methods is None else sorted(methods),
        "path": path,
        "act": act,
    }
    digest = hashlib.sha256(granted.encode("ascii")).hexdigest()
    claims: dict[str, object] = {"exp": expires_at, "grant": digest}
    claims |= {name: value for name, value in scope.items() if value is not None}
    header = {"alg": "EdDSA", "typ": SEP53_TYP if sep53 else ACCESS_TYP}
    return jws.signing_input(header, claims)


def to_be_signed(signing_input: bytes, *, sep53: bool = False) -> bytes:
    """The message under the signature: a wallet (SEP-53) signs a prefixed hash."""
    if sep53:
        return hashlib.sha256(SEP53_PREFIX + signing_input).digest()
    return signing_input


def _grant_kid(header: dict[str, object]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str) or header != {"alg": "EdDSA", "typ": GRANT_TYP, "kid": kid}:
        raise TokenError(f"the grant's header is not exactly {{alg: EdDSA, typ: {GRANT_TYP}, kid}}")
    return kid


def _audience(token: AccessToken, issuer: str) -> Refused | None:
    if token.grant.issuer != issuer or token.grant.audience != issuer:
        return Refused(Reason.WRONG_AUDIENCE, "This grant is for another gateway.")
    return None


def _grant_times(token: AccessToken, now_s: float) -> Refused | None:
    if now_s >= token.grant.expires_at:
        return Refused(Reason.GRANT_EXPIRED, "This grant has ended.")
    if now_s < token.grant.not_before - GRANT_NBF_SKEW_S:
        return Refused(Reason.GRANT_NOT_YET_VALID, "This grant has not begun.")
    return None


def _client_times(token: AccessToken, now_s: float) -> Refused | None:
    if token.client_expires_at is not None and now_s >= token.client_expires_at:
        return Refused(Reason.TOKEN_EXPIRED, "This access token has expired: derive a new one.")
    if token.client_not_before is not None and now_s < token.client_not_before:
        return Refused(Reason.TOKEN_NOT_YET_VALID, "This access token is not yet valid.")
    return None


def _within(path: str, scope: str) -> bool:
    """By whole segments: /a covers /a and /a/b, not /ab; /a/ covers only what is below /a."""
    return path.startswith(scope) if scope.endswith("/") else f"{path}/".startswith(f"{scope}/")


def _header_text(token: str) -> str:
    """The decoded first segment of anything, with whatever cannot be decoded left out."""
    segment = token.strip().partition(".")[0][:_HEADER_CHARS_MAX]
    return jws.decode_loosely(segment).decode("utf-8", "ignore")
