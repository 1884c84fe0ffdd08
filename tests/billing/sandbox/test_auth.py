"""Who signed for what: each wrong entry is refused with the host's own error, and moves nothing."""

import pytest
from stellar_sdk import Address, scval, xdr
from stellar_sdk.soroban_rpc import AuthMode

from billing.sandbox import network
from billing.sandbox.auth import Recording, function_of
from billing.sandbox.decoding import UNREADABLE
from billing.sandbox.hosterrors import HostError
from billing.sandbox.state import State, View
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    SERVER,
    STRANGER,
    USDC_SAC,
    Town,
    code_of,
    signed,
    why,
)

Entry = xdr.SorobanAuthorizationEntry
Credentials = xdr.SorobanCredentialsType
UNITS_1000 = 10_000_000_000


def credentials(entry: Entry) -> xdr.SorobanAddressCredentials:
    found = entry.credentials.address or entry.credentials.address_v2
    assert found is not None
    return found


def copy(entry: Entry) -> Entry:
    return Entry.from_xdr_bytes(entry.to_xdr_bytes())


def refused(town: Town, bad: Entry, good: Entry) -> str:
    """Apply the purchase with `bad`; it must fail in the ledger and leave the money alone."""
    response = town.send_call(town.purchase(), bad, like=good)
    assert code_of(response) == "txFAILED"
    result = xdr.TransactionResult.from_xdr(str(response.result_xdr)).result.results
    assert result is not None
    assert result[0].tr is not None
    assert result[0].tr.invoke_host_function_result is not None
    code = result[0].tr.invoke_host_function_result.code
    assert code == xdr.InvokeHostFunctionResultCode.INVOKE_HOST_FUNCTION_TRAPPED
    assert town.balance(BUYER) == UNITS_1000
    assert town.balance(PAYEE) == UNITS_1000
    return why(response)


@pytest.mark.parametrize("upgraded", [False, True], ids=["V1", "V2"])
def test_recorded_tree_holds_the_purchase_and_its_transfers(town: Town, upgraded: bool) -> None:
    entry = town.authorization(town.purchase(), upgraded=upgraded)
    kind = "SOROBAN_CREDENTIALS_ADDRESS" + "_V2" * upgraded
    assert entry.credentials.type.name == kind
    root = entry.root_invocation
    calls = [root, *root.sub_invocations]
    told = []
    for call in calls:
        args = call.function.contract_fn
        assert args is not None
        told.append(
            (
                Address.from_xdr_sc_address(args.contract_address).address,
                args.function_name.sc_symbol,
            )
        )
    assert told == [(network.CONTRACT, b"purchase"), *[(USDC_SAC, b"transfer")] * 2]
    assert credentials(entry).signature.type == xdr.SCValType.SCV_VOID


@pytest.mark.parametrize("upgraded", [False, True], ids=["V1", "V2"])
def test_signed_entry_buys_once(town: Town, upgraded: bool) -> None:
    response = town.buy(town.purchase(), upgraded=upgraded)
    assert code_of(response) == "txSUCCESS"
    assert town.balance(BUYER) == UNITS_1000 - 25_000_000
    assert town.balance(PAYEE) == UNITS_1000 + 24_750_000


def test_every_changed_byte_of_an_entry_is_refused(town: Town) -> None:
    """Wherever a byte flips, either the entry cannot be read or the host refuses it."""
    arguments = town.purchase()
    good = town.authorize(town.authorization(arguments))
    raw = good.to_xdr_bytes()
    for place in range(0, len(raw), 7):
        changed = bytearray(raw)
        changed[place] ^= 0x01
        try:
            entry = Entry.from_xdr_bytes(bytes(changed))
        except UNREADABLE:
            continue
        if entry == good:
            continue  # The byte is padding, which the SDK does not pass on.
        simulated = town.simulate(town.call(arguments, [entry]))
        assert simulated.error is not None, place
        assert simulated.error.startswith("HostError: Error("), place


def test_changed_amount_below_the_root_is_refused(town: Town) -> None:
    good = town.authorize(town.authorization(town.purchase()))
    bad = copy(good)
    transfer = bad.root_invocation.sub_invocations[0].function.contract_fn
    assert transfer is not None
    transfer.args[2] = scval.to_int128(1)
    assert refused(town, bad, good) == "Error(Auth, InvalidAction)"


def test_missing_sub_invocation_is_refused(town: Town) -> None:
    full = town.authorization(town.purchase())
    short = copy(full)
    short.root_invocation.sub_invocations.pop()
    bad, good = town.authorize(short), town.authorize(full)
    assert refused(town, bad, good) == "Error(Auth, InvalidAction)"


@pytest.mark.parametrize("upgraded", [False, True], ids=["V1", "V2"])
def test_signature_of_somebody_else_is_refused(town: Town, upgraded: bool) -> None:
    unsigned = town.authorization(town.purchase(), upgraded=upgraded)
    good = town.authorize(unsigned)
    bad = copy(unsigned)
    stranger = town.authorize(unsigned, by=STRANGER)
    held = credentials(bad)
    held.signature = credentials(stranger).signature
    held.signature_expiration_ledger = credentials(stranger).signature_expiration_ledger
    assert refused(town, bad, good) == "Error(Auth, InvalidAction)"


def test_flipped_signature_bit_is_refused(town: Town) -> None:
    good = town.authorize(town.authorization(town.purchase()))
    bad = copy(good)
    held = credentials(bad).signature.vec
    assert held is not None
    fields = held.sc_vec[0].map
    assert fields is not None
    signature = fields.sc_map[1].val.bytes
    assert signature is not None
    signature.sc_bytes = signature.sc_bytes[:-1] + bytes([signature.sc_bytes[-1] ^ 1])
    assert refused(town, bad, good) == "Error(Auth, InvalidAction)"


def test_unsigned_entry_is_refused(town: Town) -> None:
    unsigned = town.authorization(town.purchase())
    assert refused(town, unsigned, town.authorize(unsigned)) == "Error(Auth, InvalidAction)"


def test_entry_relabelled_from_v1_to_v2_is_refused(town: Town) -> None:
    good = town.authorize(town.authorization(town.purchase()))
    bad = copy(good)
    bad.credentials = xdr.SorobanCredentials(
        Credentials.SOROBAN_CREDENTIALS_ADDRESS_V2, address_v2=credentials(good)
    )
    assert refused(town, bad, good) == "Error(Auth, InvalidAction)"


def test_expired_entry_is_refused(town: Town) -> None:
    unsigned = town.authorization(town.purchase())
    bad = town.authorize(unsigned, for_ledgers=0)  # Valid now, not in the next ledger.
    assert refused(town, bad, town.authorize(unsigned)) == "Error(Auth, InvalidInput)"


def test_entry_valid_in_its_last_ledger(town: Town) -> None:
    entry = town.authorize(town.authorization(town.purchase()), for_ledgers=1)
    assert code_of(town.send_call(town.purchase(), entry)) == "txSUCCESS"


def test_entry_valid_for_too_long_is_refused(town: Town) -> None:
    unsigned = town.authorization(town.purchase())
    bad = town.authorize(unsigned, for_ledgers=3_110_401)
    assert refused(town, bad, town.authorize(unsigned)) == "Error(Auth, InvalidInput)"


def test_replayed_nonce_is_refused(town: Town) -> None:
    """The same signed entry again, for what was a different, unused purchase on chain."""
    arguments = town.purchase()
    entry = town.authorize(town.authorization(arguments))
    assert code_of(town.send_call(arguments, entry)) == "txSUCCESS"
    simulated = town.simulate(town.call(arguments, [entry]))
    assert simulated.error is not None
    assert "Error(Auth, ExistingValue)" in simulated.error
    assert "nonce already exists for address" in simulated.error


def test_replayed_nonce_is_refused_by_the_ledger(town: Town) -> None:
    arguments = town.purchase()
    entry = town.authorize(town.authorization(arguments))
    first = town.simulate(town.call(arguments, [entry]))
    assert code_of(town.send_call(arguments, entry)) == "txSUCCESS"
    te = town.call(arguments, [entry])
    data = xdr.SorobanTransactionData.from_xdr(str(first.transaction_data))
    te.transaction.soroban_data = data
    te.transaction.fee = 1000 + data.resource_fee.int64
    response = town.apply(signed(te, SERVER))
    assert why(response) == "Error(Auth, ExistingValue)"
    assert town.balance(BUYER) == UNITS_1000 - 25_000_000


def test_entry_for_other_arguments_authorizes_nothing(town: Town) -> None:
    other = town.authorize(town.authorization(town.purchase(purchase_id=bytes([8]) * 32)))
    good = town.authorize(town.authorization(town.purchase()))
    assert refused(town, other, good) == "Error(Auth, InvalidAction)"


def test_unneeded_entry_spends_no_nonce(town: Town) -> None:
    """Only an entry whose root matched is looked at: a useless one costs nothing."""
    arguments = town.purchase()
    other = town.authorize(town.authorization(town.purchase(purchase_id=bytes([8]) * 32)))
    good = town.authorize(town.authorization(arguments))
    simulated = town.simulate(town.call(arguments, [other, good]))
    assert simulated.error is None
    again = town.simulate(town.call(town.purchase(purchase_id=bytes([8]) * 32), [other]))
    assert again.error is None


def test_source_account_needs_its_entry_but_no_signature(town: Town) -> None:
    transfer = [
        scval.to_address(BUYER.public_key),
        scval.to_address(PAYEE.public_key),
        scval.to_int128(5),
    ]
    te = town.call(transfer, contract=USDC_SAC, function="transfer", source=BUYER)
    simulated = town.simulate(te)
    assert simulated.results
    assert simulated.results[0].auth
    entry = Entry.from_xdr(simulated.results[0].auth[0])
    assert entry.credentials.type == Credentials.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    without = town.rpc.simulate_transaction(te, auth_mode=AuthMode.ENFORCE)
    assert without.error is not None
    assert "Error(Auth, InvalidAction)" in without.error


def test_recording_refuses_authorization_below_the_root() -> None:
    view = View(State(), 2)
    recording = Recording(source="", view=view, nonces=iter([1]), upgraded=False, nonroot=False)
    call = xdr.InvokeContractArgs(
        Address(USDC_SAC).to_xdr_sc_address(), xdr.SCSymbol(b"transfer"), []
    )
    recording.push(function_of(call))
    recording.push(function_of(call))
    with pytest.raises(HostError) as refusal:
        recording.require(BUYER.public_key)
    assert "not tied to the root contract invocation" in refusal.value.message
