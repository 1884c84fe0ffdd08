"""The networks that a quote can be paid on.

A chain is what a buyer must pin: the passphrase, our contract, and the assets by issuer. Asset
contract (SAC) ids are derived from passphrase and issuer, never typed in, so that a wrong one
cannot be configured.

`local` is a network of one's own (stellar/quickstart): its issuers are the sandbox's, whose keys
are public.

The sandbox uses testnet's passphrase, because stock clients accept no other, but issuers and a
contract of its own: what is signed there means nothing on a network where money is real.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from stellar_sdk import Address, Keypair, Network, StrKey, xdr
from stellar_sdk import Asset as StellarAsset

CODES = ("USDC", "EURC")
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
    "local": Network.STANDALONE_NETWORK_PASSPHRASE,
    "testnet": Network.TESTNET_NETWORK_PASSPHRASE,
    "pubnet": Network.PUBLIC_NETWORK_PASSPHRASE,
}


ACCOUNT_EXPLORERS = {
    "testnet": "https://stellar.expert/explorer/testnet/account/{account}",
    "pubnet": "https://stellar.expert/explorer/public/account/{account}",
}
EXPLORERS = {
    "testnet": "https://stellar.expert/explorer/testnet/tx/{transaction}",
    "pubnet": "https://stellar.expert/explorer/public/tx/{transaction}",
}

CODE = re.compile(r"[A-Za-z0-9]{1,12}")
CONTRACT_SALT = hashlib.sha256(b"apicharge purchase contract 1").digest()
NO_MORE: Mapping[str, str] = MappingProxyType({})


class ChainError(ValueError):
    """The configured network cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Asset:
    code: str
    issuer: str  # G…, or where there is none the token's own contract, C…
    sac: str  # C…, the asset's contract
    decimals: int = DECIMALS

    @property
    def is_token(self) -> bool:
        """A SEP-41 token that is no classic asset: it has no issuer and no trustlines."""
        return self.issuer == self.sac


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
    def is_play(self) -> bool:
        """Money here is nobody's."""
        return self.name in {"sandbox", "local"}

    @property
    def is_sandbox(self) -> bool:
        return self.name == "sandbox"


def sandbox_seed(label: str) -> bytes:
    """The seed of one of the sandbox's own accounts. Public on purpose: it guards play money."""
    return hashlib.sha256(b"apicharge sandbox " + label.encode()).digest()


def play_issuers() -> dict[str, str]:
    """On the sandbox and on a network of one's own: their keys are public, as is their money."""
    return {
        code: Keypair.from_raw_ed25519_seed(sandbox_seed(f"issuer {code}")).public_key
        for code in CODES
    }


def sandbox(more: Mapping[str, str] = NO_MORE) -> Chain:
    contract = StrKey.encode_contract(sandbox_seed("contract"))
    issuers = {**play_issuers(), **more}
    return _chain("sandbox", Network.TESTNET_NETWORK_PASSPHRASE, contract, issuers)


def operator_seed(channel_key: bytes, network: str) -> bytes:
    """Of the account that deploys the contract and funds channels; its address fixes the contract's
    id, so nothing has to be handed back after a deployment."""
    return hmac.digest(channel_key, f"apicharge operator {network}".encode(), hashlib.sha256)


def login_seed(channel_key: bytes, network: str) -> bytes:
    """Of the key that logins and payment links are signed with; it is no account's."""
    return hmac.digest(channel_key, f"apicharge login {network}".encode(), hashlib.sha256)


def contract_of(operator: str, passphrase: str) -> str:
    """The id of the contract that this account deploys."""
    address = Address(operator).to_xdr_sc_address()
    made = xdr.ContractIDPreimage(
        xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ADDRESS,
        from_address=xdr.ContractIDPreimageFromAddress(address, xdr.Uint256(CONTRACT_SALT)),
    )
    network_id = xdr.Hash(hashlib.sha256(passphrase.encode()).digest())
    preimage = xdr.HashIDPreimage(
        xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID,
        contract_id=xdr.HashIDPreimageContractID(network_id, made),
    )
    return StrKey.encode_contract(hashlib.sha256(preimage.to_xdr_bytes()).digest())


def chain(
    name: str,
    contract: str = "",
    *,
    channel_key: bytes | None = None,
    more: Mapping[str, str] = NO_MORE,
) -> Chain:
    """The chain called `name`, with the contract that is named or that our operator deploys.

    `more` are assets beside USDC and EURC, issuers by code.
    """
    if name == "sandbox":
        if contract:
            raise ChainError("The sandbox has its own contract: unset APICHARGE_CONTRACT.")
        return sandbox(more)
    if name not in PASSPHRASES:
        known = ", ".join(["sandbox", *PASSPHRASES])
        raise ChainError(f"APICHARGE_NETWORK must be one of {known}, not {name!r}.")
    passphrase = PASSPHRASES[name]
    if not contract and channel_key is not None:
        seed = operator_seed(channel_key, name)
        contract = contract_of(Keypair.from_raw_ed25519_seed(seed).public_key, passphrase)
    if not StrKey.is_valid_contract(contract):
        raise ChainError(f"APICHARGE_CONTRACT must be the contract's id (C…) on {name}.")
    return _chain(name, passphrase, contract, {**ISSUERS.get(name, play_issuers()), **more})


def more_assets(given: Sequence[str]) -> dict[str, str]:
    """Issuers by code, of `CODE:G…`; of a SEP-41 token its contract, `CODE:C…`."""
    found = {}
    for each in given:
        code, _, issuer = each.partition(":")
        named = StrKey.is_valid_ed25519_public_key(issuer) or StrKey.is_valid_contract(issuer)
        if not CODE.fullmatch(code) or not named:
            raise ChainError(f"APICHARGE_ASSETS: {each!r} is not CODE:ISSUER (G…) or CODE:C….")
        if code in CODES or code in found:
            raise ChainError(f"APICHARGE_ASSETS: {code} has an issuer already.")
        found[code] = issuer
    return found


@dataclass(frozen=True, slots=True)
class Anchor:
    """A service that sells an asset for money from a bank or a card (SEP-24)."""

    code: str
    url: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).netloc


def anchors(given: Sequence[str], of: Chain) -> tuple[Anchor, ...]:
    """Of `CODE=https://…`."""
    found = []
    for each in given:
        code, _, url = each.partition("=")
        if code not in of.assets or not url.startswith("https://") or not urlsplit(url).netloc:
            raise ChainError(f"APICHARGE_ANCHORS: {each!r} is not CODE=https://… of an asset here.")
        found.append(Anchor(code, url))
    return tuple(found)


def asset_contract(code: str, issuer: str, passphrase: str) -> str:
    if StrKey.is_valid_contract(issuer):
        return issuer
    return StellarAsset(code, issuer).contract_id(passphrase)


def _chain(name: str, passphrase: str, contract: str, issuers: Mapping[str, str]) -> Chain:
    assets = {
        code: Asset(code, issuer, asset_contract(code, issuer, passphrase))
        for code, issuer in issuers.items()
    }
    return Chain(name, passphrase, contract, MappingProxyType(assets))
