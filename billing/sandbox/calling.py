"""Running the host function of a transaction, for the ledger and for simulation alike."""

from dataclasses import dataclass

from stellar_sdk import Asset, scval, xdr

from billing.sandbox import assets, entries, network
from billing.sandbox.auth import Authorization
from billing.sandbox.host import Closing, Host
from billing.sandbox.hosterrors import Code, HostError, Kind
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
    if function.invoke_contract is not None:
        host = Host(view, closing, authorization, program_of)
        value = host.invoke(function.invoke_contract)
        return Returned(value, host.events)
    if function.create_contract is not None:
        return _deploy_asset(function.create_contract.contract_id_preimage, view)
    raise HostError(
        Kind.SCE_CONTEXT, Code.SCEC_INVALID_ACTION, "the sandbox does not run this host function"
    )


def _deploy_asset(preimage: xdr.ContractIDPreimage, view: View) -> Returned:
    if preimage.from_asset is None:
        raise HostError(
            Kind.SCE_CONTEXT, Code.SCEC_INVALID_ACTION, "only asset contracts can be deployed"
        )
    try:
        asset = Asset.from_xdr_object(preimage.from_asset)
    except ValueError as problem:
        raise HostError(Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "invalid asset") from problem
    contract = asset.contract_id(network.PASSPHRASE)
    key = entries.instance_key(contract)
    if view.value(key) is not None:
        raise HostError(Kind.SCE_STORAGE, Code.SCEC_EXISTING_VALUE, "contract already exists")
    live_until = view.sequence + network.ENTRY_TTL_MAX_LEDGERS - 1
    view.put_value(key, assets.instance_of(asset), live_until)
    return Returned(scval.to_address(contract), [])
