"""Which signer, contract, network and assets a gateway may speak for.

Given explicitly, or trusted on first use and recorded; whatever differs later is refused. On the
public network the issuers of USDC and EURC are Circle's and not a matter of first use.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from stellar_sdk import Asset, Network, StrKey

from apicharge_client.documents import Document
from apicharge_client.errors import NotTrusted

PUBLIC_ISSUERS = {
    "USDC": "GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN",
    "EURC": "GDHU6WRG4IEQXM5NZ4BMPKOXHW76MZM4Y2IEMFDVXBSDP6SJY4ITNPP2",
}
CODE = re.compile(r"[A-Za-z0-9]{1,12}")
HINT = (
    "If the change is announced, remove the gateway from pins.json in the store, "
    "or state --signer and --contract."
)


@dataclass(frozen=True, slots=True)
class Pin:
    signer: str  # ed25519 public key, hex
    contract: str
    passphrase: str
    assets: Mapping[str, str] = field(default_factory=dict)  # issuer account by code

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @staticmethod
    def from_json(document: Document) -> "Pin":
        assets = document.object("assets")
        return Pin(
            signer=document.text("signer"),
            contract=document.text("contract"),
            passphrase=document.text("passphrase"),
            assets={code: assets.text(code) for code in assets.members},
        )

    def sac(self, code: str) -> str:
        """The asset's contract, from its issuer: never taken from the gateway."""
        issuer = self.assets[code]
        if StrKey.is_valid_contract(issuer):
            return issuer  # A SEP-41 token that is no classic asset: it is its own contract.
        return Asset(code, issuer).contract_id(self.passphrase)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the user stated. An empty text states nothing."""

    signer: str = ""
    contract: str = ""


def first_seen(document: Document, expected: Expected) -> Pin:
    """The pin that a quote document would make."""
    pin = Pin(
        signer=document.hex("signer", 32).hex(),
        contract=document.text("contract"),
        passphrase=document.text("passphrase"),
        assets={},
    )
    if not StrKey.is_valid_contract(pin.contract):
        raise document.wrong("contract", "a contract id (C…)")
    for name in ("signer", "contract"):
        stated, seen = getattr(expected, name), getattr(pin, name)
        if stated and stated != seen:
            raise NotTrusted(f"The gateway's {name} is {seen}, not {stated} as stated.", HINT)
    return _with_assets(pin, document)


def matched(pin: Pin, document: Document, expected: Expected) -> Pin:
    """`pin`, with assets that were not sold before. Raises when anything known is different."""
    seen = first_seen(document, expected)
    for name in ("signer", "contract", "passphrase"):
        before, now = getattr(pin, name), getattr(seen, name)
        if before != now and not getattr(expected, name, ""):
            raise NotTrusted(f"The gateway's {name} was {before} and is now {now}.", HINT)
    kept = replace(pin, signer=seen.signer, contract=seen.contract)
    return _with_assets(kept, document)


def _with_assets(pin: Pin, document: Document) -> Pin:
    assets = dict(pin.assets)
    for quote in document.objects("quotes"):
        price = quote.object("price")
        code, issuer = price.text("asset"), price.text("issuer")
        if not CODE.fullmatch(code):
            raise price.wrong("asset", "an asset's code")
        if not (StrKey.is_valid_ed25519_public_key(issuer) or StrKey.is_valid_contract(issuer)):
            raise price.wrong("issuer", "an account (G…) or a token's contract (C…)")
        known = assets.setdefault(code, _expected_issuer(pin, code) or issuer)
        if known != issuer:
            raise NotTrusted(f"{code} is issued by {known}; the gateway says {issuer}.", HINT)
    return replace(pin, assets=assets)


def _expected_issuer(pin: Pin, code: str) -> str:
    if pin.passphrase != Network.PUBLIC_NETWORK_PASSPHRASE:
        return ""
    if code not in PUBLIC_ISSUERS:
        raise NotTrusted(f"{code} is not an asset that this client pays with.")
    return PUBLIC_ISSUERS[code]
