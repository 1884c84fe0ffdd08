"""Which code an instance's executable names."""

from stellar_sdk import scval, xdr

from billing.sandbox import entries
from billing.sandbox.assets import AssetContract
from billing.sandbox.host import Contract
from billing.sandbox.hosterrors import Code, HostError, Kind
from billing.sandbox.machine import WasmContract
from billing.sandbox.state import View


def program_of(executable: xdr.ContractExecutable, view: View) -> Contract:
    if executable.wasm_hash is None:
        return AssetContract()
    data = view.get(entries.code_key(executable.wasm_hash.hash))
    if data is None or data.contract_code is None:
        raise HostError(
            Kind.SCE_STORAGE,
            Code.SCEC_MISSING_VALUE,
            "Wasm does not exist",
            scval.to_bytes(executable.wasm_hash.hash),
        )
    return WasmContract(data.contract_code.code)
