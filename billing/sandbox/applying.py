"""Applying one transaction to the ledger that is closing: fee, sequence, operations, refund, meta.

The fee and the sequence number go whatever happens; the operations go together or not at all.
"""

import hashlib
from dataclasses import dataclass

from stellar_sdk import scval, xdr

from billing.sandbox import calling, network, operations, resources, results
from billing.sandbox.auth import Enforcing
from billing.sandbox.envelopes import Envelope
from billing.sandbox.host import Closing, contract_event
from billing.sandbox.hosterrors import HostError
from billing.sandbox.operations import Outcome
from billing.sandbox.results import HostCode, TxCode
from billing.sandbox.state import Declared, Entry, View

Stage = xdr.TransactionEventStage


@dataclass(frozen=True, slots=True)
class Applied:
    succeeded: bool
    result: xdr.TransactionResult
    meta: xdr.TransactionMeta
    operation_events: list[list[xdr.ContractEvent]]
    transaction_events: list[xdr.TransactionEvent]
    diagnostics: list[xdr.DiagnosticEvent]


@dataclass(frozen=True, slots=True)
class _Ran:
    outcomes: list[Outcome]
    metas: list[xdr.OperationMetaV2]
    returned: xdr.SCVal | None = None
    diagnostics: tuple[xdr.DiagnosticEvent, ...] = ()

    @property
    def succeeded(self) -> bool:
        return all(outcome.applied for outcome in self.outcomes)


_EXCEEDED = HostCode.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED
_STARVED = _Ran([Outcome(results.host_function(_EXCEEDED), applied=False)], [])


def apply(envelope: Envelope, view: View, closing: Closing, *, starved: bool = False) -> Applied:
    """`envelope` has just passed `transactions.check` against `view`.

    `starved`: its call fails for want of resources, as when the network's limits change meanwhile.
    """
    taken = envelope.inclusion_fee + envelope.resource_fee
    before = View(view, closing.sequence)
    _charge(before, envelope.fee_source, taken)
    _take_sequence(before, envelope)
    changes_before = changes_of(before)
    before.merge()

    ran = _STARVED if starved else _run(envelope, view, closing)

    refund = _refund(envelope)
    after = View(view, closing.sequence)
    _charge(after, envelope.fee_source, -refund)
    changes_after = changes_of(after)
    after.merge()

    transaction_events = [_fee_event(Stage.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS, envelope, taken)]
    if refund:
        stage = Stage.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS
        transaction_events.append(_fee_event(stage, envelope, -refund))
    meta = xdr.TransactionMetaV4(
        xdr.ExtensionPoint(0),
        changes_before,
        ran.metas,
        changes_after,
        _soroban_meta(envelope, ran),
        transaction_events,
        list(ran.diagnostics),
    )
    code = TxCode.txSUCCESS if ran.succeeded else TxCode.txFAILED
    operation_results = [outcome.result for outcome in ran.outcomes]
    return Applied(
        ran.succeeded,
        results.bumped(envelope, code, fee_charged=taken - refund, operations=operation_results),
        xdr.TransactionMeta(4, v4=meta),
        [meta.events for meta in ran.metas],
        transaction_events,
        list(ran.diagnostics),
    )


def changes_of(view: View) -> xdr.LedgerEntryChanges:
    kinds = xdr.LedgerEntryChangeType
    changes = []
    for key, before, after in view.differences():
        if before is not None:
            kind = kinds.LEDGER_ENTRY_STATE
            changes.append(xdr.LedgerEntryChange(kind, state=ledger_entry(before)))
        if after is None:
            kind = kinds.LEDGER_ENTRY_REMOVED
            removed = xdr.LedgerKey.from_xdr_bytes(key)
            changes.append(xdr.LedgerEntryChange(kind, removed=removed))
        elif before is None:
            kind = kinds.LEDGER_ENTRY_CREATED
            changes.append(xdr.LedgerEntryChange(kind, created=ledger_entry(after)))
        else:
            kind = kinds.LEDGER_ENTRY_UPDATED
            changes.append(xdr.LedgerEntryChange(kind, updated=ledger_entry(after)))
    return xdr.LedgerEntryChanges(changes)


def ledger_entry(entry: Entry) -> xdr.LedgerEntry:
    return xdr.LedgerEntry(
        xdr.Uint32(entry.modified),
        xdr.LedgerEntryData.from_xdr_bytes(entry.data),
        xdr.LedgerEntryExt(0),
    )


def _charge(view: View, account: str, stroops: int) -> None:
    entry = view.account(account)
    assert entry is not None
    entry.balance = xdr.Int64(entry.balance.int64 - stroops)
    view.put_account(entry)


def _take_sequence(view: View, envelope: Envelope) -> None:
    entry = view.account(envelope.source)
    assert entry is not None
    entry.seq_num = xdr.SequenceNumber(xdr.Int64(envelope.sequence))
    view.put_account(entry)


def _refund(envelope: Envelope) -> int:
    data = envelope.soroban_data
    return 0 if data is None else envelope.resource_fee - resources.price_stroops(data.resources)


def _run(envelope: Envelope, view: View, closing: Closing) -> _Ran:
    if envelope.soroban_data is not None:
        return _run_call(envelope, envelope.soroban_data, view, closing)
    together = View(view, closing.sequence)
    ran = _Ran([], [])
    for operation in envelope.transaction.operations:
        alone = View(together, closing.sequence)
        source = envelope.operation_source(operation)
        outcome = operations.apply(alone, source, operation.body)
        ran.outcomes.append(outcome)
        changes = changes_of(alone) if outcome.applied else xdr.LedgerEntryChanges([])
        meta = xdr.OperationMetaV2(xdr.ExtensionPoint(0), changes, list(outcome.events))
        ran.metas.append(meta)
        if outcome.applied:
            alone.merge()
    if not ran.succeeded:
        return _Ran(ran.outcomes, [])
    together.merge()
    return ran


def _run_call(
    envelope: Envelope, data: xdr.SorobanTransactionData, view: View, closing: Closing
) -> _Ran:
    operation = envelope.transaction.operations[0]
    call = operation.body.invoke_host_function_op
    assert call is not None
    footprint = Declared(
        frozenset(key.to_xdr_bytes() for key in data.resources.footprint.read_only),
        frozenset(key.to_xdr_bytes() for key in data.resources.footprint.read_write),
    )
    alone = View(view, closing.sequence, footprint)
    source = envelope.operation_source(operation)
    try:
        authorization = Enforcing(call.auth, source=source, view=alone)
        returned = calling.run(
            call.host_function, view=alone, closing=closing, authorization=authorization
        )
    except HostError as error:
        trapped = Outcome(results.host_function(HostCode.INVOKE_HOST_FUNCTION_TRAPPED), False)
        return _Ran([trapped], [], diagnostics=(error.to_event(),))
    meta = xdr.OperationMetaV2(xdr.ExtensionPoint(0), changes_of(alone), returned.events)
    alone.merge()
    preimage = xdr.InvokeHostFunctionSuccessPreImage(returned.value, returned.events)
    digest = hashlib.sha256(preimage.to_xdr_bytes()).digest()
    success = results.host_function(HostCode.INVOKE_HOST_FUNCTION_SUCCESS, digest)
    return _Ran([Outcome(success, applied=True)], [meta], returned.value)


def _soroban_meta(envelope: Envelope, ran: _Ran) -> xdr.SorobanTransactionMetaV2 | None:
    if envelope.soroban_data is None:
        return None
    return xdr.SorobanTransactionMetaV2(xdr.SorobanTransactionMetaExt(0), ran.returned)


def _fee_event(stage: Stage, envelope: Envelope, stroops: int) -> xdr.TransactionEvent:
    topics = [scval.to_symbol("fee"), scval.to_address(envelope.fee_source)]
    event = contract_event(network.NATIVE_CONTRACT, topics, scval.to_int128(stroops))
    return xdr.TransactionEvent(stage, event)
