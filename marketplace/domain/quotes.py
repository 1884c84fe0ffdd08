"""The quote: what one purchase costs and buys, signed by the marketplace.

`terms` = sha256 of the RFC 8785 form of all that is sold and that the contract does not understand.
`digest` = sha256 of the XDR of the ScVal struct `{contract, domain, network, quote}`; the contract
computes the same bytes. The signature is ed25519 over the digest. Code, issuer and name of a quote
are not in the digest: `verify` ties the first two to the asset contract, which is; the name is for
people.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, cast, get_args

import rfc8785
from stellar_sdk import StrKey, scval, xdr

from gateway.domain import ed25519
from marketplace.domain.chains import Chain

DOMAIN = "apicharge_quote_v1"
INTEGER_MAX = 2**53 - 1  # Beyond it JSON readers disagree.
AMOUNT_MAX = 2**63 - 1  # A classic asset's balance is an int64.
LIMITS_MAX = 16
ROUTE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*/[a-z0-9]+(?:-[a-z0-9]+)*")
ROUTE_LENGTH_MAX = 128
NAME_LENGTH_MAX = 80

Starts: TypeAlias = Literal["purchase", "first_use"]
Charge: TypeAlias = Literal["success", "always"]
Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]


class QuoteError(ValueError):
    """This is not a quote of ours, or not any more; the message names the field."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote before it is signed. Amounts are in the asset's base units."""

    route: str
    name: str
    amount: int
    asset: str
    asset_issuer: str
    sac: str
    payee: str
    fee: int
    treasury: str
    access_seconds: int
    starts: Starts
    charge: Charge
    adjustable: bool
    meter: JsonObject | None
    limits: tuple[JsonObject, ...]
    expires_at: int

    @property
    def is_token(self) -> bool:
        """Priced in a SEP-41 token that is no classic asset: it is named by its contract alone."""
        return self.asset_issuer == self.sac


@dataclass(frozen=True, slots=True)
class SignedQuote(Quote):
    terms: str  # hex, as are the next two
    digest: str
    signature: str

    def to_json(self) -> JsonObject:
        return {
            "digest": self.digest,
            "route": self.route,
            "name": self.name,
            "price": {
                "amount": str(self.amount),
                "asset": self.asset,
                "issuer": self.asset_issuer,
                "sac": self.sac,
            },
            "payee": self.payee,
            "fee": str(self.fee),
            "treasury": self.treasury,
            "access_seconds": self.access_seconds,
            "starts": self.starts,
            "charge": self.charge,
            "adjustable": self.adjustable,
            "meter": self.meter,
            "limits": list(self.limits),
            "terms": self.terms,
            "expires_at": self.expires_at,
            "signature": self.signature,
        }


def terms_digest(quote: Quote) -> bytes:
    terms: JsonObject = {
        "access_seconds": quote.access_seconds,
        "adjustable": quote.adjustable,
        "charge": quote.charge,
        "limits": list(quote.limits),
        "meter": quote.meter,
        "route": quote.route,
        "starts": quote.starts,
    }
    try:
        return hashlib.sha256(rfc8785.dumps(terms)).digest()
    except (rfc8785.CanonicalizationError, RecursionError) as exc:
        raise QuoteError(f"limits or meter cannot be written canonically: {exc}") from exc


def quote_scval(quote: Quote) -> xdr.SCVal:
    """The `quote` argument of the contract's `purchase`."""
    return scval.to_struct(
        {
            "access_seconds": scval.to_uint64(quote.access_seconds),
            "amount": scval.to_int128(quote.amount),
            "asset": scval.to_address(quote.sac),
            "expires_at": scval.to_uint64(quote.expires_at),
            "fee": scval.to_int128(quote.fee),
            "payee": scval.to_address(quote.payee),
            "terms": scval.to_bytes(terms_digest(quote)),
            "treasury": scval.to_address(quote.treasury),
        }
    )


def digest(chain: Chain, quote: Quote) -> bytes:
    envelope = scval.to_struct(
        {
            "contract": scval.to_address(chain.contract),
            "domain": scval.to_symbol(DOMAIN),
            "network": scval.to_bytes(chain.network_id),
            "quote": quote_scval(quote),
        }
    )
    return hashlib.sha256(envelope.to_xdr_bytes()).digest()


def sign(quote: Quote, chain: Chain, seed: bytes) -> SignedQuote:
    signed = digest(chain, quote)
    return SignedQuote(
        **{field.name: getattr(quote, field.name) for field in fields(Quote)},
        terms=terms_digest(quote).hex(),
        digest=signed.hex(),
        signature=ed25519.sign(seed, signed).hex(),
    )


def verify(quote: SignedQuote, signers: Iterable[bytes], chain: Chain) -> None:
    """Raise `QuoteError` unless every field is covered by a signer's signature on this chain."""
    asset = chain.assets.get(quote.asset)
    if asset is None or (asset.issuer, asset.sac) != (quote.asset_issuer, quote.sac):
        raise QuoteError(f"price: {quote.asset} of this issuer is not sold on {chain.name}")
    if terms_digest(quote).hex() != quote.terms:
        raise QuoteError("terms: not the hash of what the quote says it sells")
    signed = digest(chain, quote)
    if signed.hex() != quote.digest:
        raise QuoteError("digest: not the hash of this quote")
    if signer_of(quote, signers) is None:
        raise QuoteError("signature: not made by this marketplace's quote key")


def signer_of(quote: SignedQuote, signers: Iterable[bytes]) -> bytes | None:
    """Whose signature is under the quote's digest."""
    signed, signature = bytes.fromhex(quote.digest), bytes.fromhex(quote.signature)
    return next((key for key in signers if ed25519.verify(key, signed, signature)), None)


def from_json(document: object) -> SignedQuote:
    """Parse a quote as the quotes endpoint gives it. Signatures are `verify`'s business."""
    quote = _object(document, "quote")
    price = _object(quote.get("price"), "price")
    signed = SignedQuote(
        route=_route(quote),
        name=_name(quote),
        amount=_amount(price, "amount"),
        asset=_text(price, "asset", 12),
        asset_issuer=_issuer(price),
        sac=_contract(price, "sac"),
        payee=_account(quote, "payee"),
        fee=_amount(quote, "fee"),
        treasury=_account(quote, "treasury"),
        access_seconds=_integer(quote, "access_seconds", least=1),
        starts=cast("Starts", _choice(quote, "starts", get_args(Starts))),
        charge=cast("Charge", _choice(quote, "charge", get_args(Charge))),
        adjustable=_flag(quote, "adjustable"),
        meter=None if quote.get("meter") is None else _object(quote["meter"], "meter"),
        limits=_limits(quote),
        terms=_hex(quote, "terms", 32),
        digest=_hex(quote, "digest", 32),
        expires_at=_integer(quote, "expires_at", least=1),
        signature=_hex(quote, "signature", 64),
    )
    if signed.fee > signed.amount:
        raise QuoteError("fee: larger than the price")
    return signed


def _object(value: object, field: str) -> JsonObject:
    if not isinstance(value, dict):
        raise QuoteError(f"{field}: must be an object")
    return cast("JsonObject", value)


def _text(source: Mapping[str, Json], field: str, length_max: int) -> str:
    value = source.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= length_max:
        raise QuoteError(f"{field}: must be a text of at most {length_max} characters")
    return value


def _name(source: Mapping[str, Json]) -> str:
    return _text(source, "name", NAME_LENGTH_MAX)


def _route(source: Mapping[str, Json]) -> str:
    route = _text(source, "route", ROUTE_LENGTH_MAX)
    if ROUTE.fullmatch(route) is None:
        raise QuoteError("route: must be <service>/<route>")
    return route


def _integer(source: Mapping[str, Json], field: str, *, least: int) -> int:
    value = source.get(field)
    if type(value) is not int or not least <= value <= INTEGER_MAX:
        raise QuoteError(f"{field}: must be an integer from {least} to {INTEGER_MAX}")
    return value


def _amount(source: Mapping[str, Json], field: str) -> int:
    text = _text(source, field, 19)
    if re.fullmatch(r"0|[1-9][0-9]*", text) is None or int(text) > AMOUNT_MAX:
        raise QuoteError(f"{field}: must be an amount in base units, written as a decimal string")
    return int(text)


def _account(source: Mapping[str, Json], field: str) -> str:
    address = _text(source, field, 56)
    if not StrKey.is_valid_ed25519_public_key(address):
        raise QuoteError(f"{field}: must be a Stellar account (G…)")
    return address


def _issuer(price: Mapping[str, Json]) -> str:
    """An account, or the token's own contract where it has no issuer."""
    if price.get("issuer") == price.get("sac"):
        return _contract(price, "sac")
    return _account(price, "issuer")


def _contract(source: Mapping[str, Json], field: str) -> str:
    address = _text(source, field, 56)
    if not StrKey.is_valid_contract(address):
        raise QuoteError(f"{field}: must be a Stellar contract (C…)")
    return address


def _choice(source: Mapping[str, Json], field: str, choices: tuple[str, ...]) -> str:
    value = source.get(field)
    if not isinstance(value, str) or value not in choices:
        raise QuoteError(f"{field}: must be {' or '.join(choices)}")
    return value


def _flag(source: Mapping[str, Json], field: str) -> bool:
    value = source.get(field)
    if not isinstance(value, bool):
        raise QuoteError(f"{field}: must be true or false")
    return value


def _hex(source: Mapping[str, Json], field: str, length_bytes: int) -> str:
    text = _text(source, field, 2 * length_bytes)
    if len(text) != 2 * length_bytes or re.fullmatch(r"[0-9a-f]+", text) is None:
        raise QuoteError(f"{field}: must be {length_bytes} bytes in lower-case hex")
    return text


def _limits(source: Mapping[str, Json]) -> tuple[JsonObject, ...]:
    value = source.get("limits")
    if not isinstance(value, list) or len(value) > LIMITS_MAX:
        raise QuoteError(f"limits: must be a list of at most {LIMITS_MAX}")
    return tuple(_object(limit, "limits") for limit in value)
