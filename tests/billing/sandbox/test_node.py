"""Sending, closing, restarting: what was acknowledged happens, and happens once."""

import hashlib
import itertools

import pytest
from stellar_sdk import Payment, xdr

from billing.sandbox import network
from billing.sandbox.node import Status
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    SIGNER,
    STRANGER,
    USDC,
    Town,
    code_of,
)

UNITS_1000 = 10_000_000_000


def test_waiting_transaction_is_a_duplicate_and_an_applied_one_a_wrong_sequence(
    town: Town,
) -> None:
    envelope = town.pay(BUYER, PAYEE)
    assert town.submit(envelope).status == Status.PENDING
    assert town.submit(envelope).status == Status.DUPLICATE
    town.close()
    again = town.submit(envelope)
    assert again.status == Status.ERROR
    assert again.result is not None
    assert again.result.result.code.name == "txBAD_SEQ"
    assert town.balance(PAYEE) == UNITS_1000 + 10_000_000


def test_second_transaction_of_a_source_is_asked_to_come_later(town: Town) -> None:
    first, second = town.pay(BUYER, PAYEE, "1"), town.pay(BUYER, PAYEE, "2")
    assert town.submit(first).status == Status.PENDING
    assert town.submit(second).status == Status.TRY_AGAIN_LATER
    town.close()
    assert town.balance(PAYEE) == UNITS_1000 + 10_000_000


def test_refused_transaction_leaves_nothing_to_restart_with(town: Town) -> None:
    wrong = town.classic(
        BUYER, Payment(PAYEE.public_key, USDC, "1"), sequence=town.sequence(BUYER) + 1
    )
    assert town.submit(wrong).status == Status.ERROR
    assert town.storage.pending() == []


def test_acknowledged_transaction_survives_a_restart(town: Town) -> None:
    envelope = town.pay(BUYER, PAYEE)
    town.submit(envelope)
    town.reopen()
    assert town.submit(envelope).status == Status.DUPLICATE
    town.close()
    assert code_of(town.rpc.get_transaction(envelope.hash.hex())) == "txSUCCESS"
    town.reopen()
    town.close()
    assert town.balance(PAYEE) == UNITS_1000 + 10_000_000


def test_restart_continues_the_same_ledger(town: Town) -> None:
    town.buy(town.purchase())
    before = town.node.latest, dict(town.node.state.entries)
    town.reopen()
    assert (town.node.latest, town.node.state.entries) == before


def test_ledgers_are_chained_by_hash(town: Town) -> None:
    ledgers = town.storage.ledgers(first=network.GENESIS_SEQUENCE, limit=100)
    assert [row.sequence for row in ledgers] == list(range(2, town.node.latest.sequence + 1))
    for before, after in itertools.pairwise(ledgers):
        header = xdr.LedgerHeader.from_xdr_bytes(after.header)
        assert header.previous_ledger_hash.hash == before.hash
        assert header.ledger_seq.uint32 == after.sequence
    assert all(row.hash == hashlib.sha256(row.header).digest() for row in ledgers)


def test_close_times_never_go_back(town: Town) -> None:
    latest = town.node.latest.closed_at
    town.close(seconds=-100)
    assert town.node.latest.closed_at == latest


def test_all_lumens_but_the_fees_are_still_there(town: Town) -> None:
    def total() -> int:
        entries = [
            xdr.LedgerEntryData.from_xdr_bytes(entry.data)
            for entry in town.node.state.entries.values()
        ]
        return sum(entry.account.balance.int64 for entry in entries if entry.account is not None)

    before = total()
    response = town.buy(town.purchase())
    fee = xdr.TransactionResult.from_xdr(str(response.result_xdr)).fee_charged.int64
    assert total() == before - fee


def test_signer_given_later_joins_those_already_known(town: Town) -> None:
    town.signers = [STRANGER.raw_public_key()]
    town.reopen()
    for signer in (SIGNER, STRANGER):
        quote = town.quote()
        arguments = town.purchase(
            quote,
            signer=signer.raw_public_key(),
            signature=signer.sign(quote.digest(network.CONTRACT)),
        )
        assert town.simulate(town.call(arguments)).error is None


def test_transactions_of_many_sources_share_a_ledger(town: Town) -> None:
    sent = [town.pay(BUYER, PAYEE), town.pay(PAYEE, BUYER), town.pay(STRANGER, BUYER)]
    for envelope in sent[:2]:
        assert town.submit(envelope).status == Status.PENDING
    town.close()
    told = [town.rpc.get_transaction(envelope.hash.hex()) for envelope in sent[:2]]
    assert [one.ledger for one in told] == [town.node.latest.sequence] * 2
    assert [one.application_order for one in told] == [1, 2]


def test_expired_nonces_are_forgotten(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "TEMPORARY_TTL_MIN_LEDGERS", 16)
    arguments = town.purchase()
    entry = town.authorize(town.authorization(arguments), for_ledgers=1)
    town.send_call(arguments, entry)

    def nonces() -> int:
        keys = [xdr.LedgerKey.from_xdr_bytes(key) for key in town.node.state.entries]
        data = [key.contract_data for key in keys if key.contract_data is not None]
        return sum(one.key.type == xdr.SCValType.SCV_LEDGER_KEY_NONCE for one in data)

    assert nonces() == 1
    while town.node.latest.sequence % 100:
        town.close(seconds=0)
    assert nonces() == 0
    town.reopen()
    assert nonces() == 0
