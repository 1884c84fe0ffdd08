"""What an account holds of an asset: one rule for payments and for the asset contract.

The issuer of an asset has no trustline to it: it holds as much as it likes, what it pays is minted
and what it receives is burnt.
"""

from enum import Enum, auto

from stellar_sdk import Asset, scval, xdr
from stellar_sdk.xdr import ContractEvent

from billing.sandbox import entries, network
from billing.sandbox.host import contract_event
from billing.sandbox.state import View


class Shortfall(Enum):
    NO_ACCOUNT = auto()
    NO_TRUSTLINE = auto()
    NOT_AUTHORIZED = auto()
    UNDERFUNDED = auto()
    LINE_FULL = auto()


def reserve(account: xdr.AccountEntry) -> int:
    return (2 + account.num_sub_entries.uint32) * network.BASE_RESERVE_STROOPS


def held(view: View, holder: str, asset: Asset) -> int | Shortfall:
    if asset.is_native():
        account = view.account(holder)
        return Shortfall.NO_ACCOUNT if account is None else account.balance.int64
    if holder == asset.issuer:
        return network.INT64_MAX
    line = view.trustline(holder, asset)
    return Shortfall.NO_TRUSTLINE if line is None else line.balance.int64


def add(view: View, holder: str, asset: Asset, amount: int) -> Shortfall | None:
    """Change what `holder` has by `amount`, which may be negative."""
    if asset.is_native():
        return _add_native(view, holder, amount)
    if holder == asset.issuer:
        return None
    return _add_issued(view, holder, asset, amount)


def _add_issued(view: View, holder: str, asset: Asset, amount: int) -> Shortfall | None:
    line = view.trustline(holder, asset)
    if line is None:
        return Shortfall.NO_TRUSTLINE
    if not line.flags.uint32 & entries.AUTHORIZED:
        return Shortfall.NOT_AUTHORIZED
    after = line.balance.int64 + amount
    if after < 0:
        return Shortfall.UNDERFUNDED
    if after > line.limit.int64:
        return Shortfall.LINE_FULL
    line.balance = xdr.Int64(after)
    view.put_trustline(holder, asset, line)
    return None


def _add_native(view: View, holder: str, amount: int) -> Shortfall | None:
    account = view.account(holder)
    if account is None:
        return Shortfall.NO_ACCOUNT
    after = account.balance.int64 + amount
    if amount < 0 and after < reserve(account):
        return Shortfall.UNDERFUNDED
    if after > network.INT64_MAX:
        return Shortfall.LINE_FULL
    account.balance = xdr.Int64(after)
    view.put_account(account)
    return None


def sep11_name(asset: Asset) -> str:
    return "native" if asset.is_native() else f"{asset.code}:{asset.issuer}"


def moved(asset: Asset, source: str, destination: str, amount: int) -> ContractEvent:
    """The event of CAP-67 for a movement, whoever caused it."""
    name = scval.to_string(sep11_name(asset))
    accounts = [scval.to_address(source), scval.to_address(destination)]
    topics = [scval.to_symbol("transfer"), *accounts, name]
    if source == asset.issuer:
        topics = [scval.to_symbol("mint"), accounts[1], name]
    elif destination == asset.issuer:
        topics = [scval.to_symbol("burn"), accounts[0], name]
    contract = asset.contract_id(network.PASSPHRASE)
    return contract_event(contract, topics, scval.to_int128(amount))
