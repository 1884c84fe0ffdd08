"""Ledgers and transactions of the past, through the SDK."""

import hashlib

import pytest
from stellar_sdk import xdr
from stellar_sdk.exceptions import SorobanRpcErrorResponse
from stellar_sdk.soroban_rpc import GetTransactionStatus

from tests.billing.sandbox.town import BUYER, PAYEE, Town


def test_latest_ledger_is_the_header_that_hashes_to_its_id(town: Town) -> None:
    told = town.rpc.get_latest_ledger()
    header = xdr.LedgerHeader.from_xdr(told.header_xdr)
    assert hashlib.sha256(header.to_xdr_bytes()).hexdigest() == told.id
    assert header.ledger_seq.uint32 == told.sequence == town.node.latest.sequence
    assert header.scp_value.close_time.time_point.uint64 == told.close_time
    assert xdr.LedgerCloseMeta.from_xdr(told.metadata_xdr).v2 is not None


def test_close_meta_holds_the_transactions_that_the_header_commits_to(town: Town) -> None:
    response = town.buy(town.purchase())
    meta = xdr.LedgerCloseMeta.from_xdr(town.rpc.get_latest_ledger().metadata_xdr).v2
    assert meta is not None
    header = meta.ledger_header.header
    tx_set = hashlib.sha256(meta.tx_set.to_xdr_bytes()).digest()
    assert header.scp_value.tx_set_hash.hash == tx_set
    results = xdr.TransactionResultSet([one.result for one in meta.tx_processing])
    assert header.tx_set_result_hash.hash == hashlib.sha256(results.to_xdr_bytes()).digest()
    hashes = [one.result.transaction_hash.hash.hex() for one in meta.tx_processing]
    assert hashes == [response.transaction_hash]


def test_unknown_transaction_is_not_found(town: Town) -> None:
    told = town.rpc.get_transaction("0" * 64)
    assert told.status == GetTransactionStatus.NOT_FOUND
    assert (told.ledger, told.application_order, told.create_at) == (0, 0, 0)
    assert told.latest_ledger == town.node.latest.sequence


@pytest.mark.parametrize("text", ["", "00", "0" * 65, "g" * 64, "é" * 64])
def test_text_that_is_no_hash_is_refused(town: Town, text: str) -> None:
    with pytest.raises(SorobanRpcErrorResponse) as refusal:
        town.rpc.get_transaction(text)
    assert refusal.value.code == -32602


def test_hash_may_be_written_in_capitals(town: Town) -> None:
    response = town.apply(town.pay(BUYER, PAYEE))
    told = town.rpc.get_transaction(response.transaction_hash.upper())
    assert told.transaction_hash == response.transaction_hash


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_transactions_come_page_by_page_in_order(town: Town, limit: int) -> None:
    sent = [town.pay(BUYER, PAYEE), town.pay(PAYEE, BUYER)]
    for envelope in sent:
        town.submit(envelope)
    town.close()
    page = town.rpc.get_transactions(start_ledger=2, limit=limit)
    found = list(page.transactions)
    while page.transactions:
        page = town.rpc.get_transactions(cursor=page.cursor, limit=limit)
        found += page.transactions
    places = [(one.ledger, one.application_order) for one in found]
    assert places == sorted(set(places))
    assert [one.transaction_hash for one in found[-2:]] == [one.hash.hex() for one in sent]


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_ledgers_come_page_by_page_in_order(town: Town, limit: int) -> None:
    page = town.rpc.get_ledgers(start_ledger=2, limit=limit)
    found = list(page.ledgers)
    while page.ledgers:
        page = town.rpc.get_ledgers(cursor=page.cursor, limit=limit)
        found += page.ledgers
    assert [one.sequence for one in found] == list(range(2, town.node.latest.sequence + 1))
    first = xdr.LedgerHeaderHistoryEntry.from_xdr(found[0].header_xdr)
    assert first.hash.hash.hex() == found[0].hash


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 19, "٣", "1.5"])
def test_strange_cursors_are_refused(town: Town, cursor: str) -> None:
    for method in (town.rpc.get_ledgers, town.rpc.get_transactions, town.rpc.get_events):
        with pytest.raises(SorobanRpcErrorResponse) as refusal:
            method(cursor=cursor)
        assert refusal.value.code == -32602


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_strange_limits_are_refused(town: Town, limit: int) -> None:
    for method in (town.rpc.get_ledgers, town.rpc.get_transactions, town.rpc.get_events):
        with pytest.raises(SorobanRpcErrorResponse) as refusal:
            method(start_ledger=2, limit=limit)
        assert refusal.value.code == -32602
