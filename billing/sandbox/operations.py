"""The classic operations that a network needs before anything can be sold on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stellar_sdk import Asset, xdr

from billing.sandbox import entries, holdings, network, results
from billing.sandbox.envelopes import account_of
from billing.sandbox.holdings import Shortfall
from billing.sandbox.results import OpCode
from billing.sandbox.state import View

Account = xdr.CreateAccountResultCode
Pay = xdr.PaymentResultCode
Trust = xdr.ChangeTrustResultCode
Type = xdr.OperationType

SUBENTRIES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    result: xdr.OperationResult
    applied: bool
    events: tuple[xdr.ContractEvent, ...] = ()


def apply(view: View, source: str, body: xdr.OperationBody) -> Outcome:
    """Run one classic operation; what a refused one changed must be thrown away."""
    if view.account(source) is None:
        return Outcome(results.operation(OpCode.opNO_ACCOUNT), applied=False)
    return CLASSIC[body.type](view, source, body)


def _create_account(view: View, source: str, body: xdr.OperationBody) -> Outcome:
    operation = body.create_account_op
    assert operation is not None
    account = entries.name_of(operation.destination)
    amount = operation.starting_balance.int64
    code = Account.CREATE_ACCOUNT_SUCCESS
    if amount < 0:
        code = Account.CREATE_ACCOUNT_MALFORMED
    elif view.account(account) is not None:
        code = Account.CREATE_ACCOUNT_ALREADY_EXIST
    elif amount < 2 * network.BASE_RESERVE_STROOPS:
        code = Account.CREATE_ACCOUNT_LOW_RESERVE
    elif holdings.add(view, source, network.NATIVE, -amount) is not None:
        code = Account.CREATE_ACCOUNT_UNDERFUNDED
    if code != Account.CREATE_ACCOUNT_SUCCESS:
        return Outcome(results.created(code), applied=False)
    sequence = view.sequence << 32
    view.put_account(entries.new_account(account, balance=amount, sequence=sequence))
    event = holdings.moved(network.NATIVE, source, account, amount)
    return Outcome(results.created(code), applied=True, events=(event,))


PAYMENT_SOURCE = {
    Shortfall.NO_TRUSTLINE: Pay.PAYMENT_SRC_NO_TRUST,
    Shortfall.NOT_AUTHORIZED: Pay.PAYMENT_SRC_NOT_AUTHORIZED,
    Shortfall.UNDERFUNDED: Pay.PAYMENT_UNDERFUNDED,
}
PAYMENT_DESTINATION = {
    Shortfall.NO_ACCOUNT: Pay.PAYMENT_NO_DESTINATION,
    Shortfall.NO_TRUSTLINE: Pay.PAYMENT_NO_TRUST,
    Shortfall.NOT_AUTHORIZED: Pay.PAYMENT_NOT_AUTHORIZED,
    Shortfall.LINE_FULL: Pay.PAYMENT_LINE_FULL,
}


def _payment(view: View, source: str, body: xdr.OperationBody) -> Outcome:
    operation = body.payment_op
    assert operation is not None
    asset = _asset(operation.asset)
    if asset is None:
        return Outcome(results.paid(Pay.PAYMENT_MALFORMED), applied=False)
    destination = account_of(operation.destination)
    amount = operation.amount.int64
    code = _pay(view, source, destination, asset, amount)
    if code != Pay.PAYMENT_SUCCESS:
        return Outcome(results.paid(code), applied=False)
    event = holdings.moved(asset, source, destination, amount)
    return Outcome(results.paid(code), applied=True, events=(event,))


def _pay(view: View, source: str, destination: str, asset: Asset, amount: int) -> Pay:
    if amount <= 0:
        return Pay.PAYMENT_MALFORMED
    if destination != asset.issuer and view.account(destination) is None:
        return Pay.PAYMENT_NO_DESTINATION
    # The receiving side first, as stellar-core does.
    shortfall = holdings.add(view, destination, asset, amount)
    if shortfall is not None:
        return PAYMENT_DESTINATION[shortfall]
    shortfall = holdings.add(view, source, asset, -amount)
    return Pay.PAYMENT_SUCCESS if shortfall is None else PAYMENT_SOURCE[shortfall]


def _change_trust(view: View, source: str, body: xdr.OperationBody) -> Outcome:
    operation = body.change_trust_op
    assert operation is not None
    if operation.line.type == xdr.AssetType.ASSET_TYPE_POOL_SHARE:
        return Outcome(results.operation(OpCode.opNOT_SUPPORTED), applied=False)
    asset = _asset(operation.line)
    if asset is None:
        return Outcome(results.trusted(Trust.CHANGE_TRUST_MALFORMED), applied=False)
    code = _trust(view, source, asset, operation.limit.int64)
    return Outcome(results.trusted(code), applied=code == Trust.CHANGE_TRUST_SUCCESS)


def _trust(view: View, source: str, asset: Asset, limit: int) -> Trust:
    if asset.issuer is None or asset.issuer == source or limit < 0:
        return Trust.CHANGE_TRUST_MALFORMED
    account = view.account(source)
    assert account is not None
    line = view.trustline(source, asset)
    least = 1 if line is None else line.balance.int64
    if limit < least:
        return Trust.CHANGE_TRUST_INVALID_LIMIT
    if limit == 0:
        view.remove(entries.trustline_key(source, asset))
        _count(view, account, -1)
        return Trust.CHANGE_TRUST_SUCCESS
    if view.account(asset.issuer) is None:
        return Trust.CHANGE_TRUST_NO_ISSUER
    if line is None:
        needed = holdings.reserve(account) + network.BASE_RESERVE_STROOPS
        if account.balance.int64 < needed or account.num_sub_entries.uint32 >= SUBENTRIES_MAX:
            return Trust.CHANGE_TRUST_LOW_RESERVE
        line = entries.new_trustline(source, asset, limit=limit)
        _count(view, account, 1)
    line.limit = xdr.Int64(limit)
    view.put_trustline(source, asset, line)
    return Trust.CHANGE_TRUST_SUCCESS


def _asset(given: xdr.Asset | xdr.ChangeTrustAsset) -> Asset | None:
    try:
        return Asset.from_xdr_object(given)
    except ValueError:  # A code of other characters than letters and digits.
        return None


def _count(view: View, account: xdr.AccountEntry, change: int) -> None:
    account.num_sub_entries = xdr.Uint32(account.num_sub_entries.uint32 + change)
    view.put_account(account)


CLASSIC: Mapping[Type, Callable[[View, str, xdr.OperationBody], Outcome]] = {
    Type.CHANGE_TRUST: _change_trust,
    Type.CREATE_ACCOUNT: _create_account,
    Type.PAYMENT: _payment,
}
SUPPORTED = {*CLASSIC, Type.INVOKE_HOST_FUNCTION}
