"""Every method as an unmodified SDK calls it."""

import json

import pytest
from stellar_sdk import Network, xdr
from stellar_sdk.exceptions import AccountNotFoundException, SorobanRpcErrorResponse
from stellar_sdk.soroban_server import Durability

from billing.sandbox import contract, entries, jsonrpc, network
from tests.billing.sandbox.town import BUYER, SIGNER, USDC, Town, person


def test_health_network_and_version(town: Town) -> None:
    health = town.rpc.get_health()
    assert (health.status, health.oldest_ledger) == ("healthy", 2)
    assert health.latest_ledger == town.node.latest.sequence
    told = town.rpc.get_network()
    assert told.passphrase == Network.TESTNET_NETWORK_PASSPHRASE
    assert told.protocol_version == town.rpc.get_version_info().protocol_version == 27


def test_fee_stats_are_the_base_fee(town: Town) -> None:
    stats = town.rpc.get_fee_stats()
    assert stats.soroban_inclusion_fee.p90 == stats.inclusion_fee.max == 100


def test_account_is_loaded_with_its_sequence(town: Town) -> None:
    assert town.rpc.load_account(BUYER.public_key).sequence == town.sequence(BUYER)
    with pytest.raises(AccountNotFoundException):
        town.rpc.load_account(person(90).public_key)


def test_trustline_and_contract_entries_are_read(town: Town) -> None:
    keys = [
        entries.trustline_key(BUYER.public_key, USDC),
        entries.account_key(person(90).public_key),
        entries.instance_key(network.CONTRACT),
    ]
    found = town.rpc.get_ledger_entries(keys).entries
    assert found is not None
    assert [one.key for one in found] == [keys[0].to_xdr(), keys[2].to_xdr()]
    line = xdr.LedgerEntryData.from_xdr(found[0].xdr).trust_line
    assert line is not None
    assert line.balance.int64 == 10_000_000_000
    assert found[0].live_until_ledger is None
    assert found[1].live_until_ledger is not None


def test_contract_data_is_read(town: Town) -> None:
    key = contract.signer_key(SIGNER.raw_public_key())
    assert town.rpc.get_contract_data(network.CONTRACT, key) is not None
    used = contract.used_key(BUYER.public_key, bytes([7]) * 32)
    assert town.rpc.get_contract_data(network.CONTRACT, used, Durability.TEMPORARY) is None
    town.buy(town.purchase())
    assert town.rpc.get_contract_data(network.CONTRACT, used, Durability.TEMPORARY) is not None


def test_ttl_keys_and_nonsense_are_refused(town: Town) -> None:
    ttl = xdr.LedgerKey(xdr.LedgerEntryType.TTL, ttl=xdr.LedgerKeyTtl(key_hash=xdr.Hash(bytes(32))))
    with pytest.raises(SorobanRpcErrorResponse) as refusal:
        town.rpc.get_ledger_entries([ttl])
    assert refusal.value.code == -32602
    for keys in (["AAAA"], ["*"], [7], "AAAA", ["AAAA"] * 201):
        assert error_code(town, "getLedgerEntries", {"keys": keys}) == -32602


def error_code(town: Town, method: str, params: object) -> object:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = jsonrpc.answer(json.dumps(request).encode(), town.methods.table())
    error = answer["error"]
    assert isinstance(error, dict)
    return error["code"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sendTransaction", {}),
        ("sendTransaction", {"transaction": 7}),
        ("sendTransaction", {"transaction": "not base64"}),
        ("sendTransaction", {"transaction": "AAAA"}),
        ("simulateTransaction", {}),
        ("getTransaction", {"hash": None}),
        ("getEvents", {}),
        ("getEvents", {"startLedger": "2"}),
        ("getEvents", {"startLedger": True}),
        ("getEvents", {"startLedger": 2, "filters": [{}] * 6}),
        ("getEvents", {"startLedger": 2, "filters": [{"type": "strange"}]}),
        ("getEvents", {"startLedger": 2, "filters": [{"contractIds": ["G"]}]}),
        ("getEvents", {"startLedger": 2, "filters": [{"topics": [["**", "*"]]}]}),
        ("getEvents", {"startLedger": 2, "filters": [{"topics": [["*"] * 5]}]}),
        ("getEvents", {"startLedger": 2, "filters": [{"topics": [[]]}]}),
        ("getEvents", {"startLedger": 2, "pagination": 7}),
        ("getEvents", {"startLedger": 2, "endLedger": 2}),
    ],
)
def test_bad_parameters_are_refused(town: Town, method: str, params: object) -> None:
    assert error_code(town, method, params) == -32602


def test_simulation_of_nonsense_is_an_answer(town: Town) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "simulateTransaction"}
    body = json.dumps(request | {"params": {"transaction": "AAAA"}}).encode()
    result = jsonrpc.answer(body, town.methods.table())["result"]
    assert isinstance(result, dict)
    assert result["error"] == "Could not unmarshal transaction"
