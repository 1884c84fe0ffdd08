"""The asset contract against SEP-41, called as a client would."""

import pytest
from stellar_sdk import Account, Address, Asset, Keypair, StrKey, TransactionBuilder, scval, xdr
from stellar_sdk.contract import ContractClient
from stellar_sdk.exceptions import PrepareTransactionException

from billing.sandbox import assets, network
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    SERVER,
    STRANGER,
    USDC,
    USDC_SAC,
    InProcess,
    Town,
    code_of,
    person,
    signed,
)

UNITS_1000 = 10_000_000_000


def read(town: Town, function: str, *args: xdr.SCVal, contract: str = USDC_SAC) -> object:
    simulated = town.simulate(town.call(args, contract=contract, function=function))
    assert simulated.error is None, simulated.error
    assert simulated.results
    return scval.to_native(simulated.results[0].xdr)


def error(town: Town, function: str, *args: xdr.SCVal) -> str:
    simulated = town.simulate(town.call(args, contract=USDC_SAC, function=function))
    assert simulated.error is not None
    return simulated.error.removeprefix("HostError: ").split("\n", 1)[0]


def address(who: object) -> xdr.SCVal:
    return scval.to_address(str(getattr(who, "public_key", who)))


def test_ids_are_those_that_every_client_derives() -> None:
    native = "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"  # Testnet's.
    assert native == network.NATIVE_CONTRACT
    assert network.CHAIN.assets["USDC"].sac == USDC_SAC


def test_describes_itself(town: Town) -> None:
    assert read(town, "decimals") == 7
    assert read(town, "symbol") == "USDC"
    assert read(town, "name") == f"USDC:{USDC.issuer}"
    assert read(town, "admin") == Address(str(USDC.issuer))
    assert read(town, "symbol", contract=network.NATIVE_CONTRACT) == "native"


def test_balance_is_the_trustlines(town: Town) -> None:
    assert read(town, "balance", address(BUYER)) == UNITS_1000
    assert read(town, "balance", address(USDC.issuer)) == 2**63 - 1
    lumens = read(town, "balance", address(BUYER), contract=network.NATIVE_CONTRACT)
    assert lumens == town.lumens(BUYER)


def test_balance_without_trustline_is_refused(town: Town) -> None:
    assert error(town, "balance", address(STRANGER)) == "Error(Contract, #13)"
    assert read(town, "authorized", address(BUYER)) is True


@pytest.mark.parametrize(
    ("destination", "amount", "expected"),
    [
        (PAYEE, -1, "Error(Contract, #8)"),
        (PAYEE, UNITS_1000 + 1, "Error(Contract, #10)"),
        (STRANGER, 1, "Error(Contract, #13)"),
        (person(70), 1, "Error(Contract, #13)"),
    ],
)
def test_transfer_refuses(town: Town, destination: object, amount: int, expected: str) -> None:
    args = address(BUYER), address(destination), scval.to_int128(amount)
    assert error(town, "transfer", *args) == expected


@pytest.mark.parametrize(
    "args",
    [
        [],
        [scval.to_uint32(1), scval.to_uint32(1), scval.to_uint32(1)],
        [address(BUYER), address(PAYEE), scval.to_uint64(1)],
    ],
)
def test_wrong_arguments_are_a_host_error(town: Town, args: list[xdr.SCVal]) -> None:
    assert error(town, "transfer", *args).startswith("Error(")


def test_unknown_function_is_a_host_error(town: Town) -> None:
    assert error(town, "approve") == "Error(Context, MissingValue)"


def transfer(town: Town, source: Keypair, destination: object, amount: int) -> None:
    client = ContractClient(
        USDC_SAC, "http://in.process", network.PASSPHRASE, request_client=InProcess(town)
    )
    args = [address(source), address(destination), scval.to_int128(amount)]
    made = client.invoke("transfer", args, source=source.public_key, signer=source)
    made.sign(source)
    assert made.built_transaction is not None
    assert code_of(town.apply(signed(made.built_transaction))) == "txSUCCESS"


def test_contract_client_transfers_with_source_account_authorization(town: Town) -> None:
    transfer(town, BUYER, PAYEE, 5)
    assert town.balance(BUYER) == UNITS_1000 - 5
    assert town.balance(PAYEE) == UNITS_1000 + 5


def test_contract_holds_a_balance_of_its_own(town: Town) -> None:
    holder = StrKey.encode_contract(bytes([8]) * 32)
    transfer(town, BUYER, holder, 5)
    assert read(town, "balance", address(holder)) == 5
    told = town.rpc.get_sac_balance(holder, USDC, network.PASSPHRASE)
    assert told.balance_entry is not None
    assert told.balance_entry.amount == 5


def test_paying_the_issuer_burns(town: Town) -> None:
    transfer(town, BUYER, USDC.issuer, 5)
    assert town.balance(BUYER) == UNITS_1000 - 5


def test_third_asset_can_be_deployed_once(town: Town) -> None:
    asset = Asset("THIRD", STRANGER.public_key)

    def build() -> TransactionBuilder:
        account = Account(SERVER.public_key, town.sequence(SERVER))
        builder = TransactionBuilder(account, network.PASSPHRASE, 100)
        builder.append_create_stellar_asset_contract_from_asset_op(asset)
        return builder.add_time_bounds(0, 0)

    te = town.rpc.prepare_transaction(build().build())
    assert code_of(town.apply(signed(te, SERVER))) == "txSUCCESS"
    sac = asset.contract_id(network.PASSPHRASE)
    assert read(town, "symbol", contract=sac) == "THIRD"
    with pytest.raises(PrepareTransactionException):
        town.rpc.prepare_transaction(build().build())


def test_instance_storage_is_sorted_as_the_host_keeps_it() -> None:
    value = assets.instance_of(USDC)
    assert value.instance is not None
    assert value.instance.storage is not None
    keys = [entry.key.to_xdr_bytes() for entry in value.instance.storage.sc_map]
    assert keys == sorted(keys)
