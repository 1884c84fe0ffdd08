"""Code comes to the network, and contracts come from it, by the SDK's own operations."""

from collections.abc import Callable

import pytest
import wasmtime
from stellar_sdk import Account, Keypair, StrKey, TransactionBuilder, scval, xdr
from stellar_sdk.soroban_rpc import GetTransactionResponse

from billing.sandbox import contract, entries, network
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    SERVER,
    SIGNER,
    STRANGER,
    USDC_SAC,
    Town,
    code_of,
    signed,
)

Fill = Callable[[TransactionBuilder], object]
SALT = bytes([1]) * 32
PLAIN = bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1))'))
STRANGE = bytes(wasmtime.wat2wasm('(module (import "q" "q" (func)) (memory (export "memory") 1))'))


def transaction(town: Town, fill: Fill, by: Keypair = SERVER) -> TransactionBuilder:
    builder = TransactionBuilder(Account(by.public_key, town.sequence(by)), network.PASSPHRASE, 100)
    fill(builder)
    return builder.add_time_bounds(0, 0)


def error(town: Town, fill: Fill) -> str:
    simulated = town.rpc.simulate_transaction(transaction(town, fill).build())
    assert simulated.error is not None
    return simulated.error.split("\n", 1)[0]


def done(town: Town, fill: Fill, by: Keypair = SERVER) -> GetTransactionResponse:
    te = town.rpc.prepare_transaction(transaction(town, fill, by).build())
    response = town.apply(signed(te, by))
    assert code_of(response) == "txSUCCESS"
    return response


def upload(code: bytes) -> Fill:
    return lambda builder: builder.append_upload_contract_wasm_op(code)


def create(
    code: bytes, *args: xdr.SCVal, deployer: str = SERVER.public_key, salt: bytes = SALT
) -> Fill:
    return lambda builder: builder.append_create_contract_op(code, deployer, list(args), salt)


def constructed(*tokens: str) -> tuple[xdr.SCVal, ...]:
    return (
        scval.to_address(SERVER.public_key),
        scval.to_bytes(SIGNER.raw_public_key()),
        scval.to_vec([scval.to_address(token) for token in tokens]),
    )


def created(response: GetTransactionResponse) -> str:
    meta = xdr.TransactionMeta.from_xdr(str(response.result_meta_xdr)).v4
    assert meta is not None
    assert meta.soroban_meta is not None
    assert meta.soroban_meta.return_value is not None
    return scval.from_address(meta.soroban_meta.return_value).address


def asked(town: Town, where: str, function: str, *args: xdr.SCVal) -> xdr.SCVal:
    simulated = town.simulate(town.call(list(args), contract=where, function=function))
    assert simulated.results, simulated.error
    return xdr.SCVal.from_xdr(simulated.results[0].xdr)


def test_contract_is_deployed_constructed_and_governed(town: Town) -> None:
    where = created(done(town, create(contract.HASH, *constructed(USDC_SAC))))
    assert where != network.CONTRACT
    assert asked(town, where, "admin") == scval.to_address(SERVER.public_key)
    assert asked(town, where, "is_token", scval.to_address(USDC_SAC)) == scval.to_bool(True)
    signer = scval.to_bytes(SIGNER.raw_public_key())
    assert asked(town, where, "is_signer", signer) == scval.to_bool(True)

    retire = [signer, scval.to_bool(False)]
    done(
        town,
        lambda builder: builder.append_invoke_contract_function_op(where, "set_signer", retire),
    )
    assert asked(town, where, "is_signer", signer) == scval.to_bool(False)


def test_id_follows_from_deployer_salt_and_network(town: Town) -> None:
    first = created(done(town, create(contract.HASH, *constructed())))
    other = created(done(town, create(contract.HASH, *constructed(), salt=bytes(32))))
    assert len({first, other, network.CONTRACT}) == 3
    again = error(town, create(contract.HASH, *constructed()))
    assert again == "HostError: Error(Storage, ExistingValue)"


def test_code_is_uploaded_once(town: Town) -> None:
    done(town, upload(PLAIN))
    digest = _hash(town, PLAIN)
    assert StrKey.is_valid_contract(created(done(town, create(digest))))
    held = len(town.node.state.entries)
    done(town, upload(PLAIN))
    assert len(town.node.state.entries) == held
    key = entries.code_key(digest)
    answered = town.rpc.get_ledger_entries([key]).entries
    assert answered
    data = xdr.LedgerEntryData.from_xdr(answered[0].xdr).contract_code
    assert data is not None
    assert data.code == PLAIN


def _hash(town: Town, code: bytes) -> bytes:
    simulated = town.rpc.simulate_transaction(transaction(town, upload(code)).build())
    assert simulated.results
    return scval.from_bytes(xdr.SCVal.from_xdr(simulated.results[0].xdr))


@pytest.mark.parametrize("code", [b"", b"no wasm", STRANGE, bytes(128 * 1024 + 1)])
def test_code_that_cannot_run_here_is_refused(town: Town, code: bytes) -> None:
    assert error(town, upload(code)).startswith("HostError: Error(")


def test_code_that_is_not_there_makes_no_contract(town: Town) -> None:
    assert error(town, create(bytes(32))) == "HostError: Error(Storage, MissingValue)"


@pytest.mark.parametrize("args", [(), (scval.to_void(),), (scval.to_void(),) * 3])
def test_constructor_that_fails_leaves_no_contract(town: Town, args: tuple[xdr.SCVal, ...]) -> None:
    before = dict(town.node.state.entries)
    assert error(town, create(contract.HASH, *args)).startswith("HostError: Error(")
    assert town.node.state.entries == before


def test_contract_without_a_constructor_takes_no_arguments(town: Town) -> None:
    done(town, upload(PLAIN))
    digest = _hash(town, PLAIN)
    told = error(town, create(digest, scval.to_void()))
    assert told == "HostError: Error(Context, InvalidInput)"


def test_deployer_has_to_agree(town: Town) -> None:
    te = transaction(town, create(contract.HASH, *constructed(), deployer=STRANGER.public_key))
    simulated = town.rpc.simulate_transaction(te.build())
    assert simulated.results
    assert simulated.results[0].auth
    entry = xdr.SorobanAuthorizationEntry.from_xdr(simulated.results[0].auth[0])
    kinds = xdr.SorobanAuthorizedFunctionType
    kind = entry.root_invocation.function.type
    assert kind == kinds.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CREATE_CONTRACT_V2_HOST_FN
    assert entry.credentials.address is not None or entry.credentials.address_v2 is not None


def test_quote_of_the_deployed_contract_is_paid_there(town: Town) -> None:
    where = created(done(town, create(contract.HASH, *constructed(USDC_SAC))))
    quote = town.quote()
    arguments = town.purchase(quote, signature=SIGNER.sign(quote.digest(where)))
    before = town.balance(BUYER), town.balance(PAYEE)
    simulated = town.simulate(town.call(arguments, contract=where))
    assert simulated.results
    assert simulated.results[0].auth
    agreed = town.authorize(xdr.SorobanAuthorizationEntry.from_xdr(simulated.results[0].auth[0]))
    te = town.rpc.prepare_transaction(town.call(arguments, [agreed], contract=where))
    assert code_of(town.apply(signed(te, SERVER))) == "txSUCCESS"
    paid, earned = before[0] - town.balance(BUYER), town.balance(PAYEE) - before[1]
    assert (paid, earned) == (quote.amount, quote.amount - quote.fee)
