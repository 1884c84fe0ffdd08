"""The granted access token's claims: everything that was sold, in one value.

`access_key` is the key that may use the grant (RFC 7800's cnf); without one it is a bearer token.
Claims are read exactly: an absent, additional or mistyped one is an error.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain import ed25519, jws, metering
from gateway.domain.claims import Claims
from gateway.domain.limits import Limit, parse_limits

HEX_256 = re.compile(r"[0-9a-f]{64}")
_ROUTE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}/[a-z0-9][a-z0-9._-]{0,99}")


class TokenError(ValueError):
    """Claims that are not a grant's."""


class Starts(StrEnum):
    PURCHASE = "purchase"
    FIRST_USE = "first_use"


class Charge(StrEnum):
    SUCCESS = "success"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Grant:
    """What was sold. Times are Unix seconds; `id` is the purchase id."""

    issuer: str
    audience: str
    buyer: str
    id: str
    issued_at: int
    not_before: int
    expires_at: int
    route: str
    limits: tuple[Limit, ...]
    starts: Starts
    access_seconds: int | None
    charge: Charge
    adjustable: bool
    meter: dict[str, object] | None
    quote: str
    pay: dict[str, object] | None
    access_key: bytes | None

    def claims(self) -> dict[str, object]:
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.buyer,
            "jti": self.id,
            "iat": self.issued_at,
            "nbf": self.not_before,
            "exp": self.expires_at,
            "route": self.route,
            "limits": [limit.terms() for limit in self.limits],
            "starts": self.starts.value,
            "charge": self.charge.value,
            "adjustable": self.adjustable,
            "meter": self.meter,
            "quote": self.quote,
            "pay": self.pay,
        }
        if self.starts is Starts.FIRST_USE:
            claims["access_seconds"] = self.access_seconds
        if self.access_key is not None:
            claims["cnf"] = {"jwk": jwk(self.access_key)}
        return claims

    @staticmethod
    def from_claims(document: Mapping[str, object]) -> "Grant":
        claims = Claims(document)
        try:
            starts = Starts(claims.text("starts"))
            grant = Grant(
                issuer=claims.text("iss"),
                audience=claims.text("aud"),
                buyer=claims.text("sub"),
                id=claims.text("jti", HEX_256),
                issued_at=claims.integer("iat"),
                not_before=claims.integer("nbf"),
                expires_at=claims.integer("exp"),
                route=claims.text("route", _ROUTE),
                limits=parse_limits(claims.objects("limits")),
                starts=starts,
                access_seconds=claims.integer("access_seconds", least=1)
                if starts is Starts.FIRST_USE
                else None,
                charge=Charge(claims.text("charge")),
                adjustable=claims.boolean("adjustable"),
                meter=claims.nullable_object("meter"),
                quote=claims.text("quote", HEX_256),
                pay=claims.nullable_object("pay"),
                access_key=_confirmed_key(claims.take("cnf")) if "cnf" in document else None,
            )
            claims.nothing_left()
            metering.check(grant.limits, metering.parse_meter(grant.meter))
        except ValueError as exc:
            raise TokenError(str(exc)) from exc
        if grant.expires_at <= grant.not_before:
            raise TokenError("exp is not after nbf")
        return grant


def jwk(public_key: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": jws.encode(public_key)}


def kid_of(public_key: bytes) -> str:
    """RFC 7638 thumbprint: the members of an OKP key (RFC 8037) in alphabetical order."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{jws.encode(public_key)}"}}'
    return jws.encode(hashlib.sha256(canonical.encode("ascii")).digest())


def _confirmed_key(cnf: object) -> bytes:
    if not isinstance(cnf, dict) or not isinstance(cnf.get("jwk"), dict):
        raise TokenError("cnf is not {jwk: {...}}")
    x = cnf["jwk"].get("x")
    if not isinstance(x, str) or cnf != {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}:
        raise TokenError("cnf is not exactly one Ed25519 key")
    key = jws.decode(x)
    if len(key) != ed25519.KEY_BYTES:
        raise TokenError("cnf is not a key of 32 bytes")
    return key
