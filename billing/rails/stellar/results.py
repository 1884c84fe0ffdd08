"""What the network's answers mean for a purchase. Tables; a code that is in none is `LATER`.

Slugs are those of billing/domain/errors.py. Contract errors are the u32 of `Error(Contract, #n)`
that the purchase contract raises; the asset contract has numbers of its own, so an error is read
together with the contract that raised it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from stellar_sdk import StrKey, xdr

from billing.rails.port import Refusal, Refused, Sent

_Code = xdr.TransactionResultCode
_Invoke = xdr.InvokeHostFunctionResultCode

# sendTransaction: status ERROR, by the transaction's result code. Every code is here; a bump that
# lifts a transaction which fails is read by the code of that transaction.
SENT: Mapping[xdr.TransactionResultCode, Sent] = MappingProxyType(
    {
        _Code.txBAD_SEQ: Sent.STALE_SEQUENCE,
        _Code.txNO_ACCOUNT: Sent.CHANNEL_POOR,
        _Code.txINSUFFICIENT_BALANCE: Sent.CHANNEL_POOR,
        _Code.txINSUFFICIENT_FEE: Sent.FEE_TOO_LOW,
        _Code.txTOO_EARLY: Sent.LATER,
        _Code.txTOO_LATE: Sent.REFUSED,
        _Code.txBAD_AUTH: Sent.REFUSED,
        _Code.txBAD_AUTH_EXTRA: Sent.REFUSED,
        _Code.txMALFORMED: Sent.REFUSED,
        _Code.txSOROBAN_INVALID: Sent.REFUSED,
        _Code.txINTERNAL_ERROR: Sent.LATER,
        _Code.txBAD_MIN_SEQ_AGE_OR_GAP: Sent.LATER,
        _Code.txMISSING_OPERATION: Sent.REFUSED,
        _Code.txNOT_SUPPORTED: Sent.REFUSED,
        _Code.txBAD_SPONSORSHIP: Sent.REFUSED,
        _Code.txFROZEN_KEY_ACCESSED: Sent.REFUSED,
        # An error that says it was applied: look at the chain.
        _Code.txSUCCESS: Sent.UNKNOWN,
        _Code.txFEE_BUMP_INNER_SUCCESS: Sent.UNKNOWN,
        _Code.txFAILED: Sent.UNKNOWN,
        _Code.txFEE_BUMP_INNER_FAILED: Sent.REFUSED,
    }
)

# An applied call that failed for want of resources says nothing about the purchase: build it again.
BUILD_AGAIN = frozenset(
    {
        _Invoke.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED,
        _Invoke.INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED,
        _Invoke.INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE,
    }
)

PURCHASE_ERRORS: Mapping[int, Refused] = MappingProxyType(
    {
        1: Refused(Refusal.FINAL, "cannot-pay", "Purchases are paused: try again later."),
        2: Refused(Refusal.FINAL, "cannot-pay", "The contract refuses the quote's amounts."),
        3: Refused(Refusal.FINAL, "cannot-pay", "The quote's fee is above the contract's cap."),
        4: Refused(Refusal.FINAL, "cannot-pay", "The contract does not take this asset."),
        5: Refused(Refusal.FINAL, "quote-expired", "The quote has expired: get a new one."),
        6: Refused(Refusal.FINAL, "cannot-pay", "The quote is valid for too long."),
        7: Refused(Refusal.FINAL, "cannot-pay", "The contract does not know the quote's signer."),
        8: Refused(Refusal.SPENT, "already-used", "A payment with this purchase id is on chain."),
        10: Refused(Refusal.FINAL, "cannot-pay", "The buyer and the payee are the same account."),
        11: Refused(Refusal.FINAL, "cannot-pay", "The quote would pay the contract itself."),
    }
)
# Of the Stellar Asset Contract (soroban-env-host builtin_contracts/contract_error.rs).
ASSET_ERRORS: Mapping[int, Refused] = MappingProxyType(
    {
        6: Refused(
            Refusal.FINAL,
            "no-account",
            "An account of this payment does not exist: create it first.",
        ),
        10: Refused(
            Refusal.FINAL, "insufficient-balance", "The buyer's balance is too low: add funds."
        ),
        11: Refused(Refusal.FINAL, "cannot-pay", "The issuer has frozen one of the accounts."),
        13: Refused(
            Refusal.FINAL, "no-trustline", "An account of this payment does not trust the asset."
        ),
    }
)
TRAPPED = Refused(Refusal.FINAL, "cannot-pay", "The network refused the call.")
NONCE_USED = Refused(Refusal.SPENT, "nonce-used", "This authorization was used already.")
# Not final: that it expired is for the followed ledgers to say.
AUTHORIZATION_EXPIRED = Refused(Refusal.LATER, "authorization-expired", "It is too late for this.")
UNDERSTOOD_LATER = Refused(Refusal.LATER, "try-again", "The network could not take the call now.")

_CONTRACT_ERROR = re.compile(r"Error\(Contract, #(\d+)\)")
_NONCE = re.compile(r"nonce (?:already exists|.*used)|Error\(Auth, ExistingValue\)", re.IGNORECASE)
_EXPIRED = re.compile(r"signature has expired|signature expired", re.IGNORECASE)


def refused_call(message: str, events: Sequence[str], *, contract: str, asset: str) -> Refused:
    """Why a simulated or applied call failed, from its error text and diagnostic events."""
    if error := _innermost(events):
        raised_by, number = error
        table = {contract: PURCHASE_ERRORS, asset: ASSET_ERRORS}.get(raised_by, {})
        if number in table:
            return _numbered(table[number], number)
    text = f"{message}\n" + "\n".join(_words(event) for event in events)
    if _NONCE.search(text):
        return NONCE_USED
    if _EXPIRED.search(text):
        return AUTHORIZATION_EXPIRED
    if not error and (found := _CONTRACT_ERROR.search(message)):
        number = int(found[1])
        return _numbered(PURCHASE_ERRORS.get(number, TRAPPED), number)
    return TRAPPED


def _numbered(refused: Refused, number: int) -> Refused:
    return replace(refused, detail=f"{refused.detail} (Error(Contract, #{number}))")


def _innermost(events: Sequence[str]) -> tuple[str, int] | None:
    """The first contract error that was raised, and by whom: callers only pass it on."""
    for text in events:
        event = xdr.DiagnosticEvent.from_xdr(text).event
        body = event.body.v0
        if body is None or event.contract_id is None:
            continue
        for topic in body.topics:
            error = topic.error
            if error is not None and error.contract_code is not None:
                address = StrKey.encode_contract(event.contract_id.contract_id.hash)
                return address, error.contract_code.uint32
    return None


def _words(event_xdr: str) -> str:
    body = xdr.DiagnosticEvent.from_xdr(event_xdr).event.body.v0
    if body is None:
        return ""
    values = [body.data, *(body.data.vec.sc_vec if body.data.vec is not None else [])]
    return " ".join(
        value.str.sc_string.decode("utf-8", "replace") for value in values if value.str is not None
    )


def sent_code(error_result_xdr: str | None) -> tuple[Sent, str]:
    if error_result_xdr is None:
        return Sent.REFUSED, "ERROR"
    result = xdr.TransactionResult.from_xdr(error_result_xdr).result
    code = result.code
    if result.inner_result_pair is not None:
        code = result.inner_result_pair.result.result.code
    return SENT[code], code.name


def failed_transaction(
    result_xdr: str, events: Sequence[str], *, contract: str, asset: str
) -> Refused:
    """Why a transaction that is in a ledger failed."""
    outer = xdr.TransactionResult.from_xdr(result_xdr).result
    results = outer.results
    if outer.inner_result_pair is not None:
        results = outer.inner_result_pair.result.result.results
    if not results or results[0].tr is None:
        return UNDERSTOOD_LATER
    invoked = results[0].tr.invoke_host_function_result
    if invoked is None or invoked.code in BUILD_AGAIN or not events:
        # Nodes may leave the events out; the next simulation will say why.
        return UNDERSTOOD_LATER
    return refused_call("", events, contract=contract, asset=asset)
