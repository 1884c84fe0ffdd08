"""The receipt of a purchase: what was sold, for how much, to whom and from whom, and where it is
written. A document of values, signed as a JWS by the key that signs grants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain import jws
from gateway.domain.jws import Jws
from marketplace.domain.quotes import SignedQuote

TYP = "apicharge-receipt+jwt"


@dataclass(frozen=True, slots=True)
class Names:
    """What things are called for people. Nothing else in a receipt can change."""

    service: str
    provider: str
    limits: Sequence[str]
    version: int | None


@dataclass(frozen=True, slots=True)
class Paid:
    network: str
    contract: str
    transaction: str
    ledger: int
    at_s: int


def document(
    *,
    issuer: str,
    buyer: str,
    quote: SignedQuote,
    names: Names,
    grant: Mapping[str, object],
    paid: Paid | None,
) -> dict[str, object]:
    """`grant` is what the granted token claims."""
    return {
        "issuer": issuer,
        "id": grant["jti"],
        "buyer": buyer,
        "sold": {
            "service": names.service,
            "provider": names.provider,
            "route": quote.route,
            "plan": quote.name,
            "version": names.version,
            "access_seconds": quote.access_seconds,
            "starts": quote.starts,
            "limits": list(quote.limits),
            "words": list(names.limits),
        },
        "price": {
            "amount": str(quote.amount),
            "asset": quote.asset,
            "issuer": quote.asset_issuer,
            "sac": quote.sac,
        },
        "payee": quote.payee,
        "fee": str(quote.fee),
        "treasury": quote.treasury,
        "quote": quote.digest,
        "from": grant["nbf"],
        "until": grant["exp"],
        "payment": None if paid is None else _payment(paid),
    }


def _payment(paid: Paid) -> dict[str, object]:
    return {
        "network": paid.network,
        "contract": paid.contract,
        "transaction": paid.transaction,
        "ledger": paid.ledger,
        "at": paid.at_s,
    }


def signing_input(receipt: Mapping[str, object], kid: str) -> bytes:
    return jws.signing_input({"alg": "EdDSA", "typ": TYP, "kid": kid}, receipt)


def is_receipt(frame: Jws, kid: str) -> bool:
    """Of this type and key; the signature is for whoever holds the key to check."""
    return frame.header == {"alg": "EdDSA", "typ": TYP, "kid": kid}
