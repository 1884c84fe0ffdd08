"""A contract that is not ours, by its committed wasm: a SEP-41 token."""

import hashlib

import pytest
from stellar_sdk import Keypair, MuxedAccount, StrKey, scval, xdr
from stellar_sdk.soroban_rpc import GetTransactionResponse

from tests.billing.networks import TOKEN_WASM
from tests.billing.sandbox.test_deploying import create, done, upload
from tests.billing.sandbox.town import BUYER, PAYEE, SERVER, STRANGER, Town, signed, why


class Token:
    def __init__(self, town: Town) -> None:
        done(town, upload(TOKEN_WASM))
        about = [scval.to_address(SERVER.public_key), scval.to_uint32(7)]
        words = [scval.to_string("Test token"), scval.to_string("TEST")]
        created = done(town, create(hashlib.sha256(TOKEN_WASM).digest(), *about, *words))
        assert created.result_meta_xdr is not None
        meta = xdr.TransactionMeta.from_xdr(created.result_meta_xdr).v4
        assert meta is not None
        assert meta.soroban_meta is not None
        assert meta.soroban_meta.return_value is not None
        self.id = scval.from_address(meta.soroban_meta.return_value).address
        self.town = town

    def call(self, by: Keypair, function: str, *arguments: xdr.SCVal) -> GetTransactionResponse:
        te = self.town.call(arguments, contract=self.id, function=function, source=by)
        return self.town.apply(signed(self.town.rpc.prepare_transaction(te), by))

    def ask(self, function: str, *arguments: xdr.SCVal) -> xdr.SCVal | str:
        te = self.town.call(arguments, contract=self.id, function=function)
        simulated = self.town.simulate(te)
        if simulated.error is not None:
            return simulated.error.split("\n", 1)[0]
        assert simulated.results
        return xdr.SCVal.from_xdr(simulated.results[0].xdr)

    def balance(self, who: Keypair) -> int:
        told = self.ask("balance", scval.to_address(who.public_key))
        assert isinstance(told, xdr.SCVal)
        return scval.from_int128(told)


@pytest.fixture
def token(town: Town) -> Token:
    token = Token(town)
    token.call(SERVER, "mint", scval.to_address(BUYER.public_key), scval.to_int128(100))
    return token


def test_tokens_move_by_their_holders_word(token: Token) -> None:
    pair = [scval.to_address(BUYER.public_key), scval.to_address(PAYEE.public_key)]
    told = token.call(BUYER, "transfer", *pair, scval.to_int128(40))
    assert (token.balance(BUYER), token.balance(PAYEE)) == (60, 40)
    assert told.events is not None
    assert told.events.contract_events_xdr is not None
    event = xdr.ContractEvent.from_xdr(told.events.contract_events_xdr[0][0])
    assert event.body.v0 is not None
    assert scval.from_symbol(event.body.v0.topics[0]) == "transfer"
    refused = token.ask("transfer", *pair, scval.to_int128(61))
    assert refused == "HostError: Error(Contract, #2)"


def test_muxed_receiver_is_the_account_behind_it(token: Token) -> None:
    muxed = MuxedAccount(PAYEE.public_key, 7).account_muxed
    assert muxed is not None
    assert StrKey.is_valid_med25519_public_key(muxed)
    source, to = scval.to_address(BUYER.public_key), scval.to_address(muxed)
    token.call(BUYER, "transfer", source, to, scval.to_int128(5))
    assert token.balance(PAYEE) == 5


def test_allowance_ends_with_its_ledger(token: Token) -> None:
    pair = [scval.to_address(BUYER.public_key), scval.to_address(STRANGER.public_key)]
    until = token.town.node.latest.sequence + 3
    token.call(BUYER, "approve", *pair, scval.to_int128(10), scval.to_uint32(until))
    assert token.ask("allowance", *pair) == scval.to_int128(10)
    for _ in range(4):
        token.town.close()
    assert token.ask("allowance", *pair) == scval.to_int128(0)


def test_frozen_between_simulation_and_ledger_fails_in_the_ledger(token: Token) -> None:
    town = token.town
    pair = [scval.to_address(BUYER.public_key), scval.to_address(PAYEE.public_key)]
    te = town.call(
        [*pair, scval.to_int128(1)], contract=token.id, function="transfer", source=BUYER
    )
    ready = signed(town.rpc.prepare_transaction(te), BUYER)
    token.call(SERVER, "freeze", pair[0], scval.to_bool(True))
    told = town.apply(ready)
    assert why(told) == "Error(Contract, #4)"
