"""The methods of a node that is not well: what each fault does to an answer."""

from collections.abc import Callable, Mapping
from functools import partial

from billing.sandbox import past, results
from billing.sandbox.faults import Fault, Faults
from billing.sandbox.jsonrpc import Method, Params, RpcError
from billing.sandbox.methods import Methods
from billing.sandbox.node import Node, Status, Submitted
from billing.sandbox.past import Seen
from billing.sandbox.results import TxCode
from billing.sandbox.storage import Document

INTERNAL_ERROR = -32603
LEDGERS_REMEMBERED = 3
REFUSED_WITH = {Fault.SURGE: TxCode.txINSUFFICIENT_FEE, Fault.BAD_SEQUENCE: TxCode.txBAD_SEQ}


class Disturbed:
    def __init__(self, node: Node, faults: Faults, make: Callable[[Seen], Methods]) -> None:
        self._node, self._faults, self._make = node, faults, make
        self._well = make(node)
        self._stale: Methods | None = None

    def table(self) -> Mapping[str, Method]:
        return {name: partial(self._call, name) for name in self._well.table()}

    def switch_on(self, fault: Fault, times: int | None) -> None:
        self._faults.switch_on(fault, times)
        if fault is Fault.STALE and self._stale is None:
            self._stale = self._make(past.frozen(self._node))

    def switch_off(self, fault: Fault) -> None:
        self._faults.switch_off(fault)
        self._refresh()

    def ledger_closed(self) -> None:
        for fault in (Fault.STALE, Fault.SHORT_MEMORY):
            self._faults.strikes(fault)
        self._refresh()

    def _refresh(self) -> None:
        if not self._faults.is_on(Fault.STALE):
            self._stale = None

    def _call(self, name: str, params: Params) -> Document:
        if self._faults.strikes(Fault.INTERNAL_ERROR):
            raise RpcError(INTERNAL_ERROR, "internal error")
        methods = self._methods()
        if name == "sendTransaction":
            return self._send(methods, params)
        told = methods.table()[name](params)
        return self._events(told) if name == "getEvents" else told

    def _methods(self) -> Methods:
        if self._stale is not None:
            return self._stale
        if self._faults.is_on(Fault.SHORT_MEMORY):
            return self._make(past.forgetful(self._node, LEDGERS_REMEMBERED))
        return self._well

    def _send(self, methods: Methods, params: Params) -> Document:
        envelope = methods.envelope(params)
        if self._faults.strikes(Fault.TRY_AGAIN_LATER):
            return methods.receipt(envelope, Submitted(Status.TRY_AGAIN_LATER))
        for fault, code in REFUSED_WITH.items():
            if self._faults.strikes(fault):
                refused = results.bumped(envelope, code, fee_charged=10 * envelope.fee_bid)
                return methods.receipt(envelope, Submitted(Status.ERROR, refused))
        submitted = methods.submit(envelope)
        if submitted.status is Status.PENDING:
            if self._faults.strikes(Fault.DROPPED):
                self._node.forget(envelope.hash)
            if self._faults.strikes(Fault.DUPLICATE):
                submitted = Submitted(Status.DUPLICATE)
        return methods.receipt(envelope, submitted)

    def _events(self, told: Document) -> Document:
        events = told["events"]
        assert isinstance(events, list)
        if events and self._faults.strikes(Fault.EVENT_GAP):
            return {**told, "events": []}
        if events and self._faults.strikes(Fault.EVENTS_TWICE):
            return {**told, "events": [event for event in events for _ in range(2)]}
        return told
