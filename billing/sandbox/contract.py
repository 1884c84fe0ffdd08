"""The purchase contract's committed wasm, and its entries as contract/src/state.rs names them."""

import hashlib
from pathlib import Path

from stellar_sdk import scval, xdr

from billing.sandbox import entries, network

WASM = (Path(__file__).parents[2] / "contract" / "apicharge.wasm").read_bytes()
HASH = hashlib.sha256(WASM).digest()
EXECUTABLE = xdr.ContractExecutable(
    xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(HASH)
)


def instance() -> xdr.SCVal:
    """As the constructor leaves it."""
    settings = [
        xdr.SCMapEntry(_key("Admin"), scval.to_address(network.ADMIN.public_key)),
        xdr.SCMapEntry(_key("Paused"), scval.to_bool(False)),
    ]
    return entries.new_instance(EXECUTABLE, xdr.SCMap(settings))


def signer_key(signer: bytes) -> xdr.SCVal:
    return _key("Signer", scval.to_bytes(signer))


def token_key(asset: str) -> xdr.SCVal:
    return _key("Token", scval.to_address(asset))


def used_key(buyer: str, purchase_id: bytes) -> xdr.SCVal:
    return _key("Used", scval.to_address(buyer), scval.to_bytes(purchase_id))


def _key(name: str, *values: xdr.SCVal) -> xdr.SCVal:
    return scval.to_vec([scval.to_symbol(name), *values])
