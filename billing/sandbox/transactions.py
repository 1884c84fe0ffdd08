"""Whether a transaction may enter a ledger; the network's own code when it may not.

The same check runs when a transaction is sent and again when its ledger closes. The order is
stellar-core's: shape, time, fee, accounts, sequence, signatures, balance, operations, and last the
signatures that nobody needed.
"""

from dataclasses import dataclass, field

from stellar_sdk import StrKey, xdr

from billing.sandbox import holdings, network, resources, results, signers
from billing.sandbox.envelopes import Envelope
from billing.sandbox.host import Closing
from billing.sandbox.operations import SUPPORTED
from billing.sandbox.results import OpCode, TxCode
from billing.sandbox.state import View
from gateway.domain import ed25519

INVOKE = xdr.OperationType.INVOKE_HOST_FUNCTION


@dataclass(slots=True)
class _Signatures:
    """Signatures over one hash, and which of them some account needed."""

    hash: bytes
    given: list[xdr.DecoratedSignature]
    used: set[int] = field(default_factory=set)

    def reach(self, account: xdr.AccountEntry, threshold: int) -> bool:
        weights = signers.weights(account)
        weight = sum(held for key, held in weights.items() if self.by(key))
        return weight >= max(1, threshold)

    def by(self, key: bytes) -> bool:
        for place, decorated in enumerate(self.given):
            hinted = decorated.hint.signature_hint == key[-4:]
            if hinted and ed25519.verify(key, self.hash, decorated.signature.signature):
                self.used.add(place)
                return True
        return False

    def all_used(self) -> bool:
        return len(self.used) == len(self.given)


def check(
    envelope: Envelope, view: View, closing: Closing, *, privileged: bool = False
) -> xdr.TransactionResult | None:
    """None when it may enter. `privileged` is friendbot's: operations need no signatures."""
    if envelope.bump is not None:
        code = _check_bump(envelope, view)
        if code is not None:
            return results.transaction(code, fee_charged=_required_fee(envelope))
    code = _check_shape(envelope) or _check_time(envelope, closing)
    if code is None and envelope.bump is None:
        code = _check_fee(envelope)
    if code is not None:
        charged = _required_fee(envelope) if code == TxCode.txINSUFFICIENT_FEE else 0
        return results.bumped(envelope, code, fee_charged=charged)
    return _check_accounts(envelope, view, privileged=privileged)


def _check_accounts(
    envelope: Envelope, view: View, *, privileged: bool
) -> xdr.TransactionResult | None:
    signatures = _Signatures(envelope.inner_hash, envelope.inner.signatures)
    code = _check_source(envelope, view, signatures)
    if code is not None:
        return results.bumped(envelope, code)
    if privileged:
        return None
    refused = _check_operations(envelope, view, signatures)
    if refused:
        return results.bumped(envelope, TxCode.txFAILED, operations=refused)
    if not signatures.all_used():
        return results.bumped(envelope, TxCode.txBAD_AUTH_EXTRA)
    return None


def _check_source(envelope: Envelope, view: View, signatures: _Signatures) -> TxCode | None:
    account = view.account(envelope.source)
    if account is None:
        return TxCode.txNO_ACCOUNT
    if envelope.sequence != account.seq_num.sequence_number.int64 + 1:
        return TxCode.txBAD_SEQ
    if not signatures.reach(account, signers.low_threshold(account)):
        return TxCode.txBAD_AUTH
    if envelope.bump is None and _spendable(account) < envelope.fee_bid:
        return TxCode.txINSUFFICIENT_BALANCE
    return None


def _check_shape(envelope: Envelope) -> TxCode | None:
    transaction = envelope.transaction
    operations = transaction.operations
    if not operations:
        return TxCode.txMISSING_OPERATION
    if len(operations) > network.OPERATIONS_MAX:
        return TxCode.txMALFORMED
    calls = any(operation.body.type == INVOKE for operation in operations)
    data = envelope.soroban_data
    if data is None:
        return TxCode.txSOROBAN_INVALID if calls else None
    if not calls or len(operations) != 1 or _names_somebody_else(transaction):
        return TxCode.txSOROBAN_INVALID
    price = resources.price_stroops(data.resources)
    if not resources.within_limits(data.resources) or data.resource_fee.int64 < price:
        return TxCode.txSOROBAN_INVALID
    return None


def _names_somebody_else(transaction: xdr.Transaction) -> bool:
    """Memo and multiplexed accounts are refused in a contract call."""
    muxed = xdr.CryptoKeyType.KEY_TYPE_MUXED_ED25519
    accounts = [transaction.source_account, transaction.operations[0].source_account]
    named = any(account is not None and account.type == muxed for account in accounts)
    return named or transaction.memo.type != xdr.MemoType.MEMO_NONE


def _check_time(envelope: Envelope, closing: Closing) -> TxCode | None:
    condition = envelope.transaction.cond
    bounds = condition.time_bounds
    ledgers = None
    if condition.v2 is not None:
        bounds, ledgers = condition.v2.time_bounds, condition.v2.ledger_bounds
    if bounds is not None:
        if closing.close_time < bounds.min_time.time_point.uint64:
            return TxCode.txTOO_EARLY
        if 0 < bounds.max_time.time_point.uint64 < closing.close_time:
            return TxCode.txTOO_LATE
    if ledgers is not None:
        if closing.sequence < ledgers.min_ledger.uint32:
            return TxCode.txTOO_EARLY
        if 0 < ledgers.max_ledger.uint32 <= closing.sequence:
            return TxCode.txTOO_LATE
    return None


def _required_fee(envelope: Envelope) -> int:
    return envelope.inclusion_fee + envelope.resource_fee


def _check_fee(envelope: Envelope) -> TxCode | None:
    enough = envelope.fee_bid >= _required_fee(envelope)
    if enough and envelope.bump is not None:
        # A bump must bid at least as much per operation as the transaction it lifts.
        operations = len(envelope.transaction.operations)
        inner_bid = envelope.transaction.fee.uint32 - envelope.resource_fee
        outer_bid = envelope.fee_bid - envelope.resource_fee
        enough = outer_bid * operations >= inner_bid * (operations + 1)
    return None if enough else TxCode.txINSUFFICIENT_FEE


def _check_bump(envelope: Envelope, view: View) -> TxCode | None:
    assert envelope.bump is not None
    code = _check_fee(envelope)
    if code is not None:
        return code
    account = view.account(envelope.fee_source)
    if account is None:
        return TxCode.txNO_ACCOUNT
    signatures = _Signatures(envelope.hash, envelope.bump.signatures)
    if not signatures.reach(account, signers.low_threshold(account)):
        return TxCode.txBAD_AUTH
    if not signatures.all_used():
        return TxCode.txBAD_AUTH_EXTRA
    if _spendable(account) < envelope.fee_bid:
        return TxCode.txINSUFFICIENT_BALANCE
    return None


def _spendable(account: xdr.AccountEntry) -> int:
    return account.balance.int64 - holdings.reserve(account)


def _check_operations(
    envelope: Envelope, view: View, signatures: _Signatures
) -> list[xdr.OperationResult]:
    """The result of the first operation that cannot run; none when all can."""
    for operation in envelope.transaction.operations:
        code = _check_operation(operation, envelope, view, signatures)
        if code is not None:
            return [results.operation(code)]
    return []


def _check_operation(
    operation: xdr.Operation, envelope: Envelope, view: View, signatures: _Signatures
) -> OpCode | None:
    if operation.body.type not in SUPPORTED:
        return OpCode.opNOT_SUPPORTED
    source = envelope.operation_source(operation)
    account = view.account(source)
    if account is None:
        # An operation before this one may create it; its own key must have signed all the same.
        signed = signatures.by(StrKey.decode_ed25519_public_key(source))
    else:
        signed = signatures.reach(account, signers.medium_threshold(account))
    return None if signed else OpCode.opBAD_AUTH
