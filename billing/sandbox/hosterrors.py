"""The errors that the Soroban host raises inside a contract call.

`str()` is the short form that clients search for, `Error(Contract, #8)` or
`Error(Auth, ExistingValue)`; the same error goes out as a diagnostic event with its message.
"""

from stellar_sdk import StrKey, scval, xdr

Kind = xdr.SCErrorType
Code = xdr.SCErrorCode


class HostError(Exception):
    """Ends the host function: nothing it did stays."""

    def __init__(
        self, kind: Kind, code: Code | int, message: str, *values: xdr.SCVal, contract: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
        self.values = values
        self.contract = contract

    def __str__(self) -> str:
        code = _words(self.code.name) if isinstance(self.code, Code) else f"#{self.code}"
        return f"Error({_words(self.kind.name)}, {code})"

    def to_scval(self) -> xdr.SCVal:
        if isinstance(self.code, Code):
            error = xdr.SCError(self.kind, code=self.code)
        else:
            error = xdr.SCError(self.kind, contract_code=xdr.Uint32(self.code))
        return xdr.SCVal(xdr.SCValType.SCV_ERROR, error=error)

    def to_event(self) -> xdr.DiagnosticEvent:
        message = scval.to_string(self.message)
        body = scval.to_vec([message, *self.values]) if self.values else message
        topics = [scval.to_symbol("error"), self.to_scval()]
        contract = None
        if self.contract:
            contract = xdr.ContractID(xdr.Hash(StrKey.decode_contract(self.contract)))
        event = xdr.ContractEvent(
            xdr.ExtensionPoint(0),
            contract,
            xdr.ContractEventType.DIAGNOSTIC,
            xdr.ContractEventBody(0, xdr.ContractEventV0(topics, body)),
        )
        return xdr.DiagnosticEvent(False, event)

    def report(self) -> str:
        """The `error` of a failed simulation, as RPC nodes word it."""
        where = f"contract:{self.contract}, " if self.contract else ""
        values = "".join(f", {_shown(value)}" for value in self.values)
        event = f'{where}topics:[error, {self}], data:["{self.message}"{values}]'
        return f"HostError: {self}\n\nEvent log (newest first):\n   0: [Diagnostic Event] {event}\n"


def _words(name: str) -> str:
    """SCE_WASM_VM → WasmVm"""
    return "".join(word.capitalize() for word in name.split("_")[1:])


def _shown(value: xdr.SCVal) -> str:
    if value.type == xdr.SCValType.SCV_ADDRESS:
        return scval.from_address(value).address
    return str(scval.to_native(value))
