"""Whether buyer and payees hold what the purchase needs, and what to do when they do not."""

from stellar_sdk import Asset, xdr

from billing.domain.errors import (
    CannotPay,
    InsufficientBalance,
    NoAccount,
    NoTrustline,
    PayeeCannotReceive,
)
from billing.rails.port import Order
from billing.rails.stellar.rpc import Entries, account_key, trustline_key

UNITS = 10_000_000
AUTHORIZED = xdr.TrustLineFlags.AUTHORIZED_FLAG.value


def keys(order: Order) -> list[xdr.LedgerKey]:
    quote = order.quote
    if quote.is_token:
        return [account_key(order.buyer)]
    asset = _asset(order)
    holders = dict.fromkeys((order.buyer, quote.payee, quote.treasury))
    return [account_key(order.buyer), *(trustline_key(holder, asset) for holder in holders)]


def check(order: Order, entries: Entries) -> None:
    """Raise the `CannotPay` that tells the buyer what to do. Issuers need no trustline."""
    quote = order.quote
    if account_key(order.buyer).to_xdr() not in entries.found:
        raise NoAccount(
            f"{order.buyer} is not an account on this network yet: create it with a little XLM."
        )
    if quote.is_token:
        return  # There are no trustlines: the token itself knows who holds what.
    receivers = [quote.payee, *([quote.treasury] if quote.fee else [])]
    for receiver in receivers:
        if (problem := _cannot_receive(order, receiver, entries)) is not None:
            raise problem
    if order.buyer != quote.asset_issuer:
        _check_balance(order, entries)


def sequence_of(address: str, entries: Entries) -> int | None:
    entry = entries.found.get(account_key(address).to_xdr())
    if entry is None or entry.account is None:
        return None
    return entry.account.seq_num.sequence_number.int64


def balance_of(address: str, entries: Entries) -> int:
    entry = entries.found.get(account_key(address).to_xdr())
    return 0 if entry is None or entry.account is None else entry.account.balance.int64


def _check_balance(order: Order, entries: Entries) -> None:
    quote = order.quote
    line = _trustline(order.buyer, order, entries)
    name = f"{quote.asset} of {quote.asset_issuer}"
    if line is None:
        raise NoTrustline(
            f"{order.buyer} has no trustline to {name}: add it, then buy {quote.asset}."
        )
    if not line.flags.uint32 & AUTHORIZED:
        raise NoTrustline(f"The issuer has frozen {order.buyer}'s {quote.asset}: ask the issuer.")
    if line.balance.int64 < quote.amount:
        missing = quote.amount - line.balance.int64
        raise InsufficientBalance(
            f"The price is {units(quote.amount)} {quote.asset} and the balance is "
            f"{units(line.balance.int64)}: add at least {units(missing)}."
        )


def _cannot_receive(order: Order, receiver: str, entries: Entries) -> CannotPay | None:
    quote = order.quote
    if receiver == quote.asset_issuer:
        return None
    line = _trustline(receiver, order, entries)
    if line is None:
        return PayeeCannotReceive(
            f"{receiver} has no trustline to {quote.asset}: the provider has to add it."
        )
    if not line.flags.uint32 & AUTHORIZED or line.limit.int64 - line.balance.int64 < quote.amount:
        return PayeeCannotReceive(f"{receiver} cannot take this much {quote.asset} now.")
    return None


def _trustline(holder: str, order: Order, entries: Entries) -> xdr.TrustLineEntry | None:
    entry = entries.found.get(trustline_key(holder, _asset(order)).to_xdr())
    return None if entry is None else entry.trust_line


def _asset(order: Order) -> xdr.TrustLineAsset:
    return Asset(order.quote.asset, order.quote.asset_issuer).to_trust_line_asset_xdr_object()


def units(amount: int) -> str:
    return f"{amount // UNITS}.{amount % UNITS:07d}".rstrip("0").rstrip(".")
