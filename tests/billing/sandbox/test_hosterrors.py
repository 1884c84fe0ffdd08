from stellar_sdk import StrKey, scval, xdr

from billing.sandbox.hosterrors import Code, HostError, Kind
from tests.billing.sandbox.town import USDC_SAC, person


def test_error_is_worded_as_clients_search_for_it() -> None:
    assert str(HostError(Kind.SCE_CONTRACT, 8, "")) == "Error(Contract, #8)"
    assert str(HostError(Kind.SCE_AUTH, Code.SCEC_EXISTING_VALUE, "")) == (
        "Error(Auth, ExistingValue)"
    )
    assert str(HostError(Kind.SCE_WASM_VM, Code.SCEC_INVALID_ACTION, "")) == (
        "Error(WasmVm, InvalidAction)"
    )


def test_report_is_what_a_node_answers_to_a_failed_simulation() -> None:
    who = person(1).public_key
    error = HostError(Kind.SCE_CONTRACT, 13, "trustline entry is missing", scval.to_address(who))
    error.contract = USDC_SAC
    assert error.report() == (
        "HostError: Error(Contract, #13)\n\nEvent log (newest first):\n"
        f"   0: [Diagnostic Event] contract:{USDC_SAC}, topics:[error, Error(Contract, #13)],"
        f' data:["trustline entry is missing", {who}]\n'
    )


def test_event_carries_error_contract_and_message() -> None:
    error = HostError(Kind.SCE_CRYPTO, Code.SCEC_INVALID_INPUT, "why", contract=USDC_SAC)
    event = xdr.DiagnosticEvent.from_xdr(error.to_event().to_xdr()).event
    assert event.contract_id is not None
    assert StrKey.encode_contract(event.contract_id.contract_id.hash) == USDC_SAC
    assert event.body.v0 is not None
    assert scval.from_string(event.body.v0.data) == b"why"
    assert event.body.v0.topics[1].error is not None
    assert event.body.v0.topics[1].error.code == Code.SCEC_INVALID_INPUT
