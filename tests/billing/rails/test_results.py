"""What the network's refusals mean: by its own codes, read with who raised them."""

from typing import Any

import pytest
from stellar_sdk import StrKey, scval, xdr

from billing.api.problems import all_slugs
from billing.rails.port import Refusal, Sent
from billing.rails.stellar import results
from tests.vectors.contract import CALLS, KNOWN

CONTRACT = StrKey.encode_contract(bytes([1]) * 32)
ASSET = StrKey.encode_contract(bytes([2]) * 32)
OTHER = StrKey.encode_contract(bytes([3]) * 32)
Codes = xdr.TransactionResultCode


def test_every_refusal_has_a_problem_type_that_is_explained() -> None:
    tables = [results.PURCHASE_ERRORS, results.ASSET_ERRORS]
    final = [told for table in tables for told in table.values() if told.refusal is Refusal.FINAL]
    assert {told.slug for told in [*final, results.TRAPPED]} <= set(all_slugs())


def test_contract_error_is_named_in_the_detail() -> None:
    raised = event(CONTRACT, contract_error(7))
    told = results.refused_call("", [raised], contract=CONTRACT, asset=ASSET)
    assert told.detail.endswith("(Error(Contract, #7))")


def event(contract: str | None, error: xdr.SCError, words: str = "") -> str:
    topics = [scval.to_symbol("error"), xdr.SCVal(xdr.SCValType.SCV_ERROR, error=error)]
    raised_by = None
    if contract is not None:
        raised_by = xdr.ContractID(xdr.Hash(StrKey.decode_contract(contract)))
    body = xdr.ContractEventBody(0, xdr.ContractEventV0(topics, scval.to_string(words)))
    kind = xdr.ContractEventType.DIAGNOSTIC
    inner = xdr.ContractEvent(xdr.ExtensionPoint(0), raised_by, kind, body)
    return xdr.DiagnosticEvent(False, inner).to_xdr()


def contract_error(number: int) -> xdr.SCError:
    return xdr.SCError(xdr.SCErrorType.SCE_CONTRACT, contract_code=xdr.Uint32(number))


def refused(message: str, *events: str) -> tuple[Refusal, str]:
    told = results.refused_call(message, events, contract=CONTRACT, asset=ASSET)
    return told.refusal, told.slug


@pytest.mark.parametrize(
    ("number", "refusal", "slug"),
    [
        (1, Refusal.FINAL, "cannot-pay"),
        (2, Refusal.FINAL, "cannot-pay"),
        (3, Refusal.FINAL, "cannot-pay"),
        (4, Refusal.FINAL, "cannot-pay"),
        (5, Refusal.FINAL, "quote-expired"),
        (6, Refusal.FINAL, "cannot-pay"),
        (7, Refusal.FINAL, "cannot-pay"),
        (8, Refusal.SPENT, "already-used"),
        (10, Refusal.FINAL, "cannot-pay"),
        (11, Refusal.FINAL, "cannot-pay"),
    ],
)
def test_contract_error_has_its_meaning(number: int, refusal: Refusal, slug: str) -> None:
    message = f"HostError: Error(Contract, #{number})"
    assert refused(message, event(CONTRACT, contract_error(number))) == (refusal, slug)
    assert refused(message) == (refusal, slug)


def test_same_number_means_another_thing_when_the_asset_raised_it() -> None:
    message = "HostError: Error(Contract, #10)"
    raised = event(ASSET, contract_error(10))
    passed_on = event(CONTRACT, contract_error(10))
    assert refused(message, raised, passed_on) == (Refusal.FINAL, "insufficient-balance")
    assert refused(message, event(ASSET, contract_error(13))) == (Refusal.FINAL, "no-trustline")


def test_error_of_some_other_contract_is_a_plain_refusal() -> None:
    message = "HostError: Error(Contract, #8)"
    assert refused(message, event(OTHER, contract_error(8))) == (Refusal.FINAL, "cannot-pay")


def test_used_nonce_may_be_the_payment_itself() -> None:
    error = xdr.SCError(xdr.SCErrorType.SCE_AUTH, code=xdr.SCErrorCode.SCEC_EXISTING_VALUE)
    told = refused("HostError: Error(Auth, ExistingValue)", event(None, error))
    assert told == (Refusal.SPENT, "nonce-used")


def test_expired_authorization_is_left_to_the_followed_ledgers() -> None:
    error = xdr.SCError(xdr.SCErrorType.SCE_AUTH, code=xdr.SCErrorCode.SCEC_INVALID_INPUT)
    told = refused(
        "HostError: Error(Auth, InvalidInput)", event(None, error, "signature has expired")
    )
    assert told == (Refusal.LATER, "authorization-expired")


def transaction_result(code: xdr.TransactionResultCode, results_: object = None) -> str:
    inner = xdr.TransactionResultResult(code, results=results_)  # type: ignore[arg-type] # as given
    return xdr.TransactionResult(xdr.Int64(100), inner, xdr.TransactionResultExt(0)).to_xdr()


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (Codes.txBAD_SEQ, Sent.STALE_SEQUENCE),
        (Codes.txNO_ACCOUNT, Sent.CHANNEL_POOR),
        (Codes.txINSUFFICIENT_BALANCE, Sent.CHANNEL_POOR),
        (Codes.txINSUFFICIENT_FEE, Sent.FEE_TOO_LOW),
        (Codes.txBAD_MIN_SEQ_AGE_OR_GAP, Sent.LATER),
        (Codes.txTOO_EARLY, Sent.LATER),
        (Codes.txBAD_AUTH_EXTRA, Sent.REFUSED),
        (Codes.txMISSING_OPERATION, Sent.REFUSED),
        (Codes.txBAD_SPONSORSHIP, Sent.REFUSED),
        (Codes.txFROZEN_KEY_ACCESSED, Sent.REFUSED),
        (Codes.txTOO_LATE, Sent.REFUSED),
        (Codes.txBAD_AUTH, Sent.REFUSED),
        (Codes.txMALFORMED, Sent.REFUSED),
        (Codes.txSOROBAN_INVALID, Sent.REFUSED),
        (Codes.txINTERNAL_ERROR, Sent.LATER),
        (Codes.txNOT_SUPPORTED, Sent.REFUSED),
    ],
)
def test_result_of_sending_is_read_by_its_code(code: xdr.TransactionResultCode, sent: Sent) -> None:
    assert results.sent_code(transaction_result(code)) == (sent, code.name)


@pytest.mark.parametrize("code", Codes)
def test_every_result_code_has_its_meaning(code: xdr.TransactionResultCode) -> None:
    assert code in results.SENT


def test_error_that_says_it_was_applied_is_not_believed() -> None:
    assert results.sent_code(transaction_result(Codes.txSUCCESS, [])) == (Sent.UNKNOWN, "txSUCCESS")


def test_lifted_transaction_is_read_by_its_own_code() -> None:
    inner = xdr.InnerTransactionResult(
        xdr.Int64(0),
        xdr.InnerTransactionResultResult(Codes.txBAD_SEQ),
        xdr.InnerTransactionResultExt(0),
    )
    pair = xdr.InnerTransactionResultPair(xdr.Hash(bytes(32)), inner)
    outer = xdr.TransactionResultResult(Codes.txFEE_BUMP_INNER_FAILED, inner_result_pair=pair)
    told = xdr.TransactionResult(xdr.Int64(100), outer, xdr.TransactionResultExt(0)).to_xdr()
    assert results.sent_code(told) == (Sent.STALE_SEQUENCE, "txBAD_SEQ")


def failed(code: xdr.InvokeHostFunctionResultCode) -> str:
    invoked = xdr.InvokeHostFunctionResult(code)
    tr = xdr.OperationResultTr(
        xdr.OperationType.INVOKE_HOST_FUNCTION, invoke_host_function_result=invoked
    )
    operation = xdr.OperationResult(xdr.OperationResultCode.opINNER, tr=tr)
    return transaction_result(Codes.txFAILED, [operation])


@pytest.mark.parametrize(
    "code",
    [
        xdr.InvokeHostFunctionResultCode.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED,
        xdr.InvokeHostFunctionResultCode.INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED,
        xdr.InvokeHostFunctionResultCode.INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE,
    ],
)
def test_failure_for_want_of_resources_is_built_again(
    code: xdr.InvokeHostFunctionResultCode,
) -> None:
    told = results.failed_transaction(
        failed(code), [event(CONTRACT, contract_error(5))], contract=CONTRACT, asset=ASSET
    )
    assert told.refusal is Refusal.LATER


def test_trapped_call_is_read_from_its_events_and_without_them_asked_again() -> None:
    result = failed(xdr.InvokeHostFunctionResultCode.INVOKE_HOST_FUNCTION_TRAPPED)
    told = [
        results.failed_transaction(result, events, contract=CONTRACT, asset=ASSET).refusal
        for events in ([event(CONTRACT, contract_error(8))], [event(ASSET, contract_error(10))], [])
    ]
    assert told == [Refusal.SPENT, Refusal.FINAL, Refusal.LATER]


def test_every_error_of_a_purchase_has_a_meaning() -> None:
    raised = {call["label"] for call in CALLS if call["label"] in KNOWN["errors"]}
    raised -= {"NoAdminProposed"}  # Of a call that no server makes.
    assert set(results.PURCHASE_ERRORS) == {KNOWN["errors"][name] for name in raised}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call["label"])
def test_error_that_the_contract_raised_is_told_by_its_number(call: dict[str, Any]) -> None:
    number = KNOWN["errors"].get(call["label"])
    assert number is None or call["error"] == f"Error(Contract, #{number})"
