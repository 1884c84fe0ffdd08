"""Result codes as XDR."""

from collections.abc import Sequence

from stellar_sdk import xdr

from billing.sandbox.envelopes import Envelope

TxCode = xdr.TransactionResultCode
OpCode = xdr.OperationResultCode
HostCode = xdr.InvokeHostFunctionResultCode
WITH_OPERATIONS = {TxCode.txSUCCESS, TxCode.txFAILED}


def operation(code: OpCode) -> xdr.OperationResult:
    return xdr.OperationResult(code)


def host_function(code: HostCode, success: bytes | None = None) -> xdr.OperationResult:
    result = xdr.InvokeHostFunctionResult(code, None if success is None else xdr.Hash(success))
    return done(xdr.OperationType.INVOKE_HOST_FUNCTION, invoke_host_function_result=result)


def created(code: xdr.CreateAccountResultCode) -> xdr.OperationResult:
    result = xdr.CreateAccountResult(code)
    return done(xdr.OperationType.CREATE_ACCOUNT, create_account_result=result)


def paid(code: xdr.PaymentResultCode) -> xdr.OperationResult:
    return done(xdr.OperationType.PAYMENT, payment_result=xdr.PaymentResult(code))


def trusted(code: xdr.ChangeTrustResultCode) -> xdr.OperationResult:
    result = xdr.ChangeTrustResult(code)
    return done(xdr.OperationType.CHANGE_TRUST, change_trust_result=result)


def done(
    kind: xdr.OperationType,
    *,
    invoke_host_function_result: xdr.InvokeHostFunctionResult | None = None,
    create_account_result: xdr.CreateAccountResult | None = None,
    payment_result: xdr.PaymentResult | None = None,
    change_trust_result: xdr.ChangeTrustResult | None = None,
) -> xdr.OperationResult:
    tr = xdr.OperationResultTr(
        kind,
        invoke_host_function_result=invoke_host_function_result,
        create_account_result=create_account_result,
        payment_result=payment_result,
        change_trust_result=change_trust_result,
    )
    return xdr.OperationResult(OpCode.opINNER, tr)


def transaction(
    code: TxCode, *, fee_charged: int = 0, operations: Sequence[xdr.OperationResult] = ()
) -> xdr.TransactionResult:
    results = list(operations) if code in WITH_OPERATIONS else None
    return xdr.TransactionResult(
        xdr.Int64(fee_charged),
        xdr.TransactionResultResult(code, results=results),
        xdr.TransactionResultExt(0),
    )


def bumped(
    envelope: Envelope,
    code: TxCode,
    *,
    fee_charged: int = 0,
    operations: Sequence[xdr.OperationResult] = (),
) -> xdr.TransactionResult:
    """The result of a transaction inside a fee bump; of the transaction itself without one."""
    if envelope.bump is None:
        return transaction(code, fee_charged=fee_charged, operations=operations)
    results = list(operations) if code in WITH_OPERATIONS else None
    inner = xdr.InnerTransactionResult(
        xdr.Int64(0),
        xdr.InnerTransactionResultResult(code, results=results),
        xdr.InnerTransactionResultExt(0),
    )
    succeeded = code == TxCode.txSUCCESS
    outer = TxCode.txFEE_BUMP_INNER_SUCCESS if succeeded else TxCode.txFEE_BUMP_INNER_FAILED
    pair = xdr.InnerTransactionResultPair(xdr.Hash(envelope.inner_hash), inner)
    return xdr.TransactionResult(
        xdr.Int64(fee_charged),
        xdr.TransactionResultResult(outer, inner_result_pair=pair),
        xdr.TransactionResultExt(0),
    )
