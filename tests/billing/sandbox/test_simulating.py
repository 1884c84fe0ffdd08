"""Simulation: what it tells, what it never does, and what it refuses to look at."""

import pytest
from stellar_sdk import Account, Asset, Payment, TransactionBuilder, scval, xdr
from stellar_sdk.operation import InvokeHostFunction
from stellar_sdk.soroban_rpc import AuthMode
from stellar_sdk.soroban_server import ResourceLeeway

from billing.sandbox import network
from tests.billing.sandbox.town import BUYER, SERVER, USDC_SAC, Town

XLM = Asset.native()


def test_simulation_changes_nothing(town: Town) -> None:
    before = dict(town.node.state.entries)
    assert town.simulate(town.call(town.purchase())).error is None
    assert town.node.state.entries == before


def test_prepared_call_is_accepted_as_it_is(town: Town) -> None:
    arguments = town.purchase()
    signed_entry = town.authorize(town.authorization(arguments))
    te = town.rpc.prepare_transaction(town.call(arguments, [signed_entry]))
    assert isinstance(te.transaction.operations[0], InvokeHostFunction)
    te.sign(SERVER)
    assert town.rpc.send_transaction(te).status.value == "PENDING"


def test_footprint_names_what_is_read_and_what_is_written(town: Town) -> None:
    simulated = town.simulate(town.call(town.purchase()))
    data = xdr.SorobanTransactionData.from_xdr(str(simulated.transaction_data))
    footprint = data.resources.footprint
    kinds = [key.type.name for key in footprint.read_write]
    # Three trustlines; the buyer's nonce and the used purchase id.
    assert sorted(kinds) == ["CONTRACT_DATA"] * 2 + ["TRUSTLINE"] * 3
    # The two contracts and the code, the registered signer, the allowed token, the buyer's account.
    kinds = [key.type.name for key in footprint.read_only]
    assert sorted(kinds) == ["ACCOUNT", "CONTRACT_CODE"] + ["CONTRACT_DATA"] * 4
    assert simulated.min_resource_fee == data.resource_fee.int64


def test_state_changes_tell_before_and_after(town: Town) -> None:
    simulated = town.simulate(town.call(town.purchase()))
    assert simulated.state_changes is not None
    kinds = sorted(change.type for change in simulated.state_changes)
    assert kinds == ["created"] * 2 + ["updated"] * 3


def test_leeway_adds_instructions_and_their_price(town: Town) -> None:
    te = town.call(town.purchase())
    plain = town.rpc.simulate_transaction(te)
    more = town.rpc.simulate_transaction(te, addl_resources=ResourceLeeway(2_000_000))
    assert more.min_resource_fee is not None
    assert plain.min_resource_fee is not None
    assert more.min_resource_fee == plain.min_resource_fee + 5_000


def test_recording_with_entries_is_refused(town: Town) -> None:
    arguments = town.purchase()
    entry = town.authorize(town.authorization(arguments))
    te = town.call(arguments, [entry])
    simulated = town.rpc.simulate_transaction(te, auth_mode=AuthMode.RECORD)
    assert simulated.error == "cannot set authMode to 'record' with an auth footprint"


def test_anything_but_one_contract_call_is_refused(town: Town) -> None:
    builder = TransactionBuilder(Account(BUYER.public_key, 1), network.PASSPHRASE, 100)
    builder.append_operation(Payment(SERVER.public_key, XLM, "1")).add_time_bounds(0, 0)
    simulated = town.simulate(builder.build())
    assert simulated.error == "Transaction does not contain a host function invocation"
    builder.append_operation(Payment(SERVER.public_key, XLM, "1"))
    simulated = town.simulate(builder.build())
    assert simulated.error == "Transaction contains more than one operation"


@pytest.mark.parametrize("contract", ["CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"])
def test_contract_that_does_not_exist_is_refused(town: Town, contract: str) -> None:
    simulated = town.simulate(town.call([], contract=contract, function="f"))
    assert simulated.error is not None
    assert simulated.error.startswith("HostError: Error(Storage, MissingValue)")


def test_envelope_needs_no_signature_and_no_account(town: Town) -> None:
    account = Account("GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF", 0)
    builder = TransactionBuilder(account, network.PASSPHRASE, 100)
    builder.append_invoke_contract_function_op(USDC_SAC, "decimals", [])
    simulated = town.simulate(builder.add_time_bounds(0, 0).build())
    assert simulated.results
    assert scval.from_uint32(simulated.results[0].xdr) == 7
