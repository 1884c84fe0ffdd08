"""A buyer, and quotes to buy. The keys are derived, so every run is the same."""

import base64
import hashlib
import time
from dataclasses import dataclass

from django.conf import settings
from stellar_sdk import StrKey

from gateway.domain import ed25519
from marketplace.domain import quotes
from marketplace.domain.quotes import JsonObject, Quote, SignedQuote

PRICE = 2_500_000
CALLS: JsonObject = {"kind": "calls", "count": 10, "window_seconds": None}


@dataclass(frozen=True, slots=True)
class Person:
    seed: bytes

    @property
    def key(self) -> bytes:
        return ed25519.public_key(self.seed)

    @property
    def address(self) -> str:
        return StrKey.encode_ed25519_public_key(self.key)

    def sign(self, message: bytes) -> bytes:
        return ed25519.sign(self.seed, message)

    def authorization(self, instruction: dict[str, object]) -> dict[str, str]:
        message = bytes.fromhex(str(instruction["authorization_to_sign"]))
        signature = base64.b64encode(self.sign(message)).decode()
        return {"signer": self.address, "signature": signature}


def person(name: str) -> Person:
    return Person(hashlib.sha256(f"billing tests {name}".encode()).digest())


def quote_for(payee: str, **changes: object) -> SignedQuote:
    asset = settings.CHAIN.assets["USDC"]
    terms: dict[str, object] = {
        "route": "weather/forecast",
        "name": "Hour pass",
        "amount": PRICE,
        "asset": asset.code,
        "asset_issuer": asset.issuer,
        "sac": asset.sac,
        "payee": payee,
        "fee": 0,
        "treasury": payee,
        "access_seconds": 3600,
        "starts": "purchase",
        "charge": "success",
        "adjustable": False,
        "meter": None,
        "limits": (CALLS,),
        "expires_at": int(time.time()) + 600,
    }
    quote = Quote(**{**terms, **changes})  # type: ignore[arg-type] # the fields above
    return quotes.sign(quote, settings.CHAIN, bytes.fromhex(settings.QUOTE_KEY_SEED.reveal()))
