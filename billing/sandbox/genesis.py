"""The first ledger: friendbot, the issuers, the asset contracts and the purchase contract."""

from collections.abc import Sequence

from stellar_sdk import scval, xdr

from billing.sandbox import assets, contract, entries, network
from billing.sandbox.entries import Durability
from billing.sandbox.state import View

FRIENDBOT_STROOPS = 9 * 10**17
OWNER_STROOPS = 10**9
FOREVER = 2**32 - 1  # Nothing of the network's own expires: a sandbox may stand for years.


def found(view: View) -> None:
    _open_account(view, network.FRIENDBOT.public_key, FRIENDBOT_STROOPS)
    for owner in [network.ADMIN, *network.ISSUERS.values()]:
        _open_account(view, owner.public_key, OWNER_STROOPS)
    for asset in [network.NATIVE, *network.ASSETS.values()]:
        sac = asset.contract_id(network.PASSPHRASE)
        _keep(view, entries.instance_key(sac), assets.instance_of(asset))
        token = entries.data_key(network.CONTRACT, contract.token_key(sac), Durability.PERSISTENT)
        _keep(view, token, scval.to_bool(True))


def install(view: View) -> None:
    """The committed contract, also on a ledger that an older one was founded on."""
    code = entries.code_key(contract.HASH)
    if view.get(code) is None:
        view.put(code, entries.of_code(contract.HASH, contract.WASM), FOREVER)
        _keep(view, entries.instance_key(network.CONTRACT), contract.instance())


def register_signers(view: View, signers: Sequence[bytes]) -> None:
    """Let the purchase contract accept quotes of these keys, beside those it already knows."""
    for signer in signers:
        key = contract.signer_key(signer)
        entry = entries.data_key(network.CONTRACT, key, Durability.PERSISTENT)
        if view.value(entry) is None:
            _keep(view, entry, scval.to_bool(True))


def _open_account(view: View, account: str, stroops: int) -> None:
    view.put_account(entries.new_account(account, balance=stroops, sequence=view.sequence << 32))


def _keep(view: View, key: xdr.LedgerKey, value: xdr.SCVal) -> None:
    view.put_value(key, value, live_until=FOREVER)
