"""simulateTransaction: run a contract call on a copy and say what it needs.

Signatures, sequence and fee of the envelope are not looked at. A call that fails is an answer with
`error`, never a JSON-RPC error. In record mode the authorization comes out as what is to be signed;
in enforce mode (the default when entries are given) they are checked as the ledger will.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from stellar_sdk import xdr

from billing.sandbox import applying, calling, resources
from billing.sandbox.auth import Enforcing, Recording
from billing.sandbox.envelopes import Envelope
from billing.sandbox.events import b64
from billing.sandbox.host import Closing
from billing.sandbox.hosterrors import HostError
from billing.sandbox.state import Recorded, View
from billing.sandbox.storage import Document, Json


class Mode(StrEnum):
    DEFAULT = ""
    ENFORCE = "enforce"
    RECORD = "record"
    RECORD_NONROOT = "record_allow_nonroot"


@dataclass(frozen=True, slots=True)
class Simulated:
    returned: calling.Returned
    auth: list[xdr.SorobanAuthorizationEntry]
    data: xdr.SorobanTransactionData
    view: View


class Unsimulable(ValueError):
    """The transaction is not one that can be simulated."""


def simulate(
    envelope: Envelope,
    *,
    below: View,
    closing: Closing,
    mode: Mode,
    upgraded: bool,
    leeway: int = 0,
) -> Document:
    latest: Document = {"latestLedger": closing.sequence}
    try:
        simulated = _run(envelope, below, closing, mode, upgraded=upgraded)
    except Unsimulable as problem:
        return latest | {"error": str(problem)}
    except HostError as error:
        return latest | {"error": error.report(), "events": [b64(error.to_event())]}
    _add_leeway(simulated.data, leeway)
    events: list[Json] = [
        b64(xdr.DiagnosticEvent(True, event)) for event in simulated.returned.events
    ]
    auth: list[Json] = [b64(entry) for entry in simulated.auth]
    return latest | {
        "transactionData": b64(simulated.data),
        "minResourceFee": str(simulated.data.resource_fee.int64),
        "results": [{"auth": auth, "xdr": b64(simulated.returned.value)}],
        "events": events,
        "stateChanges": _changes(simulated.view),
    }


def _run(
    envelope: Envelope, below: View, closing: Closing, mode: Mode, *, upgraded: bool
) -> Simulated:
    call, source = _call_of(envelope)
    if mode == Mode.DEFAULT:
        mode = Mode.ENFORCE if call.auth else Mode.RECORD
    if mode != Mode.ENFORCE and call.auth:
        raise Unsimulable(f"cannot set authMode to '{mode}' with an auth footprint")
    footprint = Recorded()
    view = View(below, closing.sequence, footprint)
    if mode == Mode.ENFORCE:
        enforcing = Enforcing(call.auth, source=source, view=view)
        returned = calling.run(
            call.host_function, view=view, closing=closing, authorization=enforcing
        )
        return Simulated(returned, [], _needs(view, footprint), view)
    recording = Recording(
        source=source,
        view=view,
        nonces=_nonces(),
        upgraded=upgraded,
        nonroot=mode == Mode.RECORD_NONROOT,
    )
    returned = calling.run(call.host_function, view=view, closing=closing, authorization=recording)
    recorded = recording.recorded()
    return Simulated(returned, recorded, _needs(view, footprint), view)


def _call_of(envelope: Envelope) -> tuple[xdr.InvokeHostFunctionOp, str]:
    transaction = envelope.transaction
    if len(transaction.operations) != 1:
        raise Unsimulable("Transaction contains more than one operation")
    operation = transaction.operations[0]
    call = operation.body.invoke_host_function_op
    if call is None:
        raise Unsimulable("Transaction does not contain a host function invocation")
    if transaction.memo.type != xdr.MemoType.MEMO_NONE:
        raise Unsimulable("Transaction with a memo cannot invoke a host function")
    return call, envelope.operation_source(operation)


def _nonces() -> Iterator[int]:
    while True:
        yield int.from_bytes(secrets.token_bytes(8), "big", signed=True)


def _needs(view: View, footprint: Recorded) -> xdr.SorobanTransactionData:
    def size(key: bytes) -> int:
        entry = view.find(key)
        return len(key) + (0 if entry is None else len(entry.data))

    needed = resources.of_footprint(
        [xdr.LedgerKey.from_xdr_bytes(key) for key in footprint.reads],
        [xdr.LedgerKey.from_xdr_bytes(key) for key in footprint.writes],
        read_bytes=sum(size(key) for key in (*footprint.reads, *footprint.writes)),
        write_bytes=sum(size(key) for key in footprint.writes),
    )
    return xdr.SorobanTransactionData(
        xdr.SorobanTransactionDataExt(0), needed, xdr.Int64(resources.price_stroops(needed))
    )


def _add_leeway(data: xdr.SorobanTransactionData, leeway: int) -> None:
    more = data.resources.instructions.uint32 + leeway
    data.resources.instructions = xdr.Uint32(min(more, resources.INSTRUCTIONS_MAX))
    data.resource_fee = xdr.Int64(resources.price_stroops(data.resources))


def _changes(view: View) -> list[Json]:
    changes: list[Json] = []
    for key, before, after in view.differences():
        kind = "created" if before is None else "deleted" if after is None else "updated"
        change: Document = {
            "type": kind,
            "key": b64(xdr.LedgerKey.from_xdr_bytes(key)),
            "before": None if before is None else b64(applying.ledger_entry(before)),
            "after": None if after is None else b64(applying.ledger_entry(after)),
        }
        changes.append(change)
    return changes
