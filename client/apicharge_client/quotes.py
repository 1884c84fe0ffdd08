"""The signed quote: what it costs, what it buys, and whether the pinned signer said so.

`terms` covers all that is sold; `digest` covers terms, price, payee, contract and network; the
signature covers the digest. So after `verify` nothing in the quote but its name is hearsay.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import rfc8785
from stellar_sdk import StrKey, scval, xdr

from apicharge_client.documents import Document
from apicharge_client.errors import NotAffordable, NotTrusted
from apicharge_client.keys import verify as signed_by
from apicharge_client.money import Budget, show
from apicharge_client.pins import Pin

DOMAIN = "apicharge_quote_v1"
SECONDS_LEFT_MIN = 60  # With less the gateway gives no instruction.


@dataclass(frozen=True, slots=True)
class Quote:
    document: Document
    digest: bytes
    route: str
    name: str
    amount: int
    asset: str
    sac: str
    payee: str
    fee: int
    treasury: str
    access_seconds: int
    starts: str
    terms: bytes
    expires_at: int
    signature: bytes

    @property
    def price(self) -> str:
        return show(self.amount, self.asset) if self.amount else "free"

    def scval(self) -> xdr.SCVal:
        """The contract's `quote` argument."""
        return scval.to_struct(
            {
                "access_seconds": scval.to_uint64(self.access_seconds),
                "amount": scval.to_int128(self.amount),
                "asset": scval.to_address(self.sac),
                "expires_at": scval.to_uint64(self.expires_at),
                "fee": scval.to_int128(self.fee),
                "payee": scval.to_address(self.payee),
                "terms": scval.to_bytes(self.terms),
                "treasury": scval.to_address(self.treasury),
            }
        )


def parse(document: Document) -> Quote:
    price = document.object("price")
    quote = Quote(
        document=document,
        digest=document.hex("digest", 32),
        route=document.text("route"),
        name=document.text("name"),
        amount=price.amount("amount"),
        asset=price.text("asset"),
        sac=price.text("sac"),
        payee=document.text("payee"),
        fee=document.amount("fee"),
        treasury=document.text("treasury"),
        access_seconds=document.integer("access_seconds"),
        starts=document.choice("starts", ("purchase", "first_use")),
        terms=document.hex("terms", 32),
        expires_at=document.integer("expires_at"),
        signature=document.hex("signature", 64),
    )
    if quote.fee > quote.amount:
        raise document.wrong("fee", "at most the price")
    for name in ("payee", "treasury"):
        if not StrKey.is_valid_ed25519_public_key(document.text(name)):
            raise document.wrong(name, "an account (G…)")
    return quote


def verify(quote: Quote, pin: Pin) -> None:
    """Raises unless the pinned signer offers exactly this on the pinned contract and network."""
    if quote.asset not in pin.assets or quote.sac != pin.sac(quote.asset):
        raise NotTrusted(f"{_called(quote)}: {quote.sac} is not the contract of {quote.asset}.")
    if _terms(quote) != quote.terms:
        raise NotTrusted(f"{_called(quote)}: its terms are not what it says it sells.")
    if digest(quote, pin) != quote.digest:
        raise NotTrusted(f"{_called(quote)}: its digest is not that of its content.")
    if not signed_by(bytes.fromhex(pin.signer), quote.digest, quote.signature):
        raise NotTrusted(f"{_called(quote)}: it is not signed by the pinned signer.")


def digest(quote: Quote, pin: Pin) -> bytes:
    network = hashlib.sha256(pin.passphrase.encode()).digest()
    envelope = scval.to_struct(
        {
            "contract": scval.to_address(pin.contract),
            "domain": scval.to_symbol(DOMAIN),
            "network": scval.to_bytes(network),
            "quote": quote.scval(),
        }
    )
    return hashlib.sha256(envelope.to_xdr_bytes()).digest()


def choose(offers: Sequence[Quote], budget: Budget, *, now_s: float, wanted: str = "") -> Quote:
    """The cheapest offer that is named or affordable; `wanted` is a name or a digest."""
    named = [quote for quote in offers if wanted in {"", quote.name, quote.digest.hex()}]
    if not named:
        names = ", ".join(repr(quote.name) for quote in offers) or "none"
        raise NotAffordable(f"There is no offer {wanted!r}.", f"Offers: {names}.")
    alive = [quote for quote in named if quote.expires_at - now_s >= SECONDS_LEFT_MIN]
    if not alive:
        raise NotAffordable("The offer is about to expire.", "Fetch the quotes again.")
    affordable = [
        quote for quote in alive if quote.amount == 0 or quote.amount <= budget.left(quote.asset)
    ]
    if not affordable:
        prices = ", ".join(f"{quote.name}: {quote.price}" for quote in alive)
        raise NotAffordable(
            f"No offer is within the budget ({prices}).",
            "State a budget, for example --budget USDC:1, if you agree to the price.",
        )
    return min(affordable, key=lambda quote: (quote.amount, quote.name))


def _terms(quote: Quote) -> bytes:
    names = ("access_seconds", "adjustable", "charge", "limits", "meter", "route", "starts")
    try:
        sold = {name: quote.document.members[name] for name in names}
        return hashlib.sha256(rfc8785.dumps(sold)).digest()  # type: ignore[arg-type]
    except (KeyError, ValueError, RecursionError) as exc:
        raise NotTrusted(f"{_called(quote)}: its terms cannot be written down.") from exc


def _called(quote: Quote) -> str:
    return f"The quote {quote.name[:80]!r} for {quote.route[:80]}"
