"""Running the host function of a transaction, for the ledger and for simulation alike."""

from dataclasses import dataclass

from stellar_sdk import xdr

from billing.sandbox import deploying
from billing.sandbox.auth import Authorization
from billing.sandbox.host import Closing, Host
from billing.sandbox.programs import program_of
from billing.sandbox.state import View


@dataclass(frozen=True, slots=True)
class Returned:
    value: xdr.SCVal
    events: list[xdr.ContractEvent]


def run(
    function: xdr.HostFunction, *, view: View, closing: Closing, authorization: Authorization
) -> Returned:
    """Raises HostError; then the view's changes must be thrown away."""
    host = Host(view, closing, authorization, program_of)
    return Returned(_run(function, host), host.events)


def _run(function: xdr.HostFunction, host: Host) -> xdr.SCVal:
    if function.invoke_contract is not None:
        return host.invoke(function.invoke_contract)
    if function.wasm is not None:
        return deploying.upload(function.wasm, host)
    return deploying.create(function, host)
