"""The networks that a quote can be paid on.

A chain is what a buyer must pin: the passphrase, our contract, and the assets by issuer. Asset
contract (SAC) ids are derived from passphrase and issuer, never typed in, so that a wrong one
cannot be configured.

The sandbox uses testnet's passphrase, because stock clients accept no other, but issuers and a
contract of its own: what is signed there means nothing on a network where money is real.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stellar_sdk import Asset as StellarAsset
from stellar_sdk import Keypair, Network, StrKey

DECIMALS = 7  # Of every classic Stellar asset.

ISSUERS = {
    "testnet": {
        "USDC": "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5",
        "EURC": "GB3Q6QDZYTHWT7E5PVS3W7FUT5GVAFC5KSZFFLPU25GO7VTC3NM2ZTVO",
    },
    "pubnet": {
        "USDC": "GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN",
        "EURC": "GDHU6WRG4IEQXM5NZ4BMPKOXHW76MZM4Y2IEMFDVXBSDP6SJY4ITNPP2",
    },
}
PASSPHRASES = {
    "testnet": Network.TESTNET_NETWORK_PASSPHRASE,
    "pubnet": Network.PUBLIC_NETWORK_PASSPHRASE,
}


class ChainError(ValueError):
    """The configured network cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Asset:
    code: str
    issuer: str  # G…
    sac: str  # C…, the asset's contract
    decimals: int = DECIMALS


@dataclass(frozen=True, slots=True)
class Chain:
    name: str
    passphrase: str
    contract: str  # C…
    assets: Mapping[str, Asset]

    @property
    def network_id(self) -> bytes:
        return hashlib.sha256(self.passphrase.encode()).digest()

    @property
    def is_sandbox(self) -> bool:
        return self.name == "sandbox"


def sandbox_seed(label: str) -> bytes:
    """The seed of one of the sandbox's own accounts. Public on purpose: it guards play money."""
    return hashlib.sha256(b"apicharge sandbox " + label.encode()).digest()


def sandbox() -> Chain:
    issuers = {
        code: Keypair.from_raw_ed25519_seed(sandbox_seed(f"issuer {code}")).public_key
        for code in ("USDC", "EURC")
    }
    contract = StrKey.encode_contract(sandbox_seed("contract"))
    return _chain("sandbox", Network.TESTNET_NETWORK_PASSPHRASE, contract, issuers)


def chain(name: str, contract: str = "") -> Chain:
    """The chain called `name`. A real network needs the id of the contract deployed there."""
    if name == "sandbox":
        if contract:
            raise ChainError("The sandbox has its own contract: unset APICHARGE_CONTRACT.")
        return sandbox()
    if name not in ISSUERS:
        known = ", ".join(["sandbox", *ISSUERS])
        raise ChainError(f"APICHARGE_NETWORK must be one of {known}, not {name!r}.")
    if not StrKey.is_valid_contract(contract):
        raise ChainError(f"APICHARGE_CONTRACT must be the contract's id (C…) on {name}.")
    return _chain(name, PASSPHRASES[name], contract, ISSUERS[name])


def _chain(name: str, passphrase: str, contract: str, issuers: Mapping[str, str]) -> Chain:
    assets = {
        code: Asset(code, issuer, StellarAsset(code, issuer).contract_id(passphrase))
        for code, issuer in issuers.items()
    }
    return Chain(name, passphrase, contract, MappingProxyType(assets))
