"""The queue's rules, without a ledger."""

from stellar_sdk import Account, Asset, Keypair, Payment, TransactionBuilder

from billing.sandbox import network
from billing.sandbox.envelopes import Envelope
from billing.sandbox.pending import LEDGER_TRANSACTIONS_MAX, QUEUE_MAX, Place, Queue
from tests.billing.sandbox.town import person, signed

ALICE, BOB = person(80), person(81)


def payment(who: Keypair, sequence: int, *, fee: int = 100, amount: str = "1") -> Envelope:
    builder = TransactionBuilder(Account(who.public_key, sequence), network.PASSPHRASE, fee)
    builder.append_operation(Payment(BOB.public_key, Asset.native(), amount))
    return signed(builder.add_time_bounds(0, 0).build(), who)


def bumped(who: Keypair, sequence: int, *, base_fee: int, amount: str = "1") -> Envelope:
    builder = TransactionBuilder(Account(who.public_key, sequence), network.PASSPHRASE, 100)
    builder.append_operation(Payment(BOB.public_key, Asset.native(), amount))
    inner = builder.add_time_bounds(0, 0).build()
    inner.sign(who)
    outer = TransactionBuilder.build_fee_bump_transaction(
        BOB.public_key, base_fee, inner, network.PASSPHRASE
    )
    return signed(outer, BOB)  # type: ignore[arg-type]


def queue_with(*envelopes: Envelope) -> Queue:
    queue = Queue()
    for envelope in envelopes:
        queue.add(envelope, privileged=False)
    return queue


def test_one_transaction_of_a_source_waits() -> None:
    queue = queue_with(payment(ALICE, 5))
    assert queue.place_for(payment(ALICE, 5), sequence=9) == Place.DUPLICATE
    assert queue.place_for(payment(ALICE, 6), sequence=9) == Place.LATER
    assert queue.place_for(payment(ALICE, 5, amount="2"), sequence=9) == Place.LATER
    assert queue.place_for(payment(ALICE, 4), sequence=9) == Place.SEQUENCE_PASSED
    assert queue.place_for(payment(BOB, 5), sequence=9) == Place.FREE


def test_fee_bump_replaces_when_it_bids_ten_times_as_much() -> None:
    queue = queue_with(payment(ALICE, 5))
    assert queue.place_for(bumped(ALICE, 5, base_fee=499), sequence=9) == Place.LATER
    assert queue.place_for(bumped(ALICE, 5, base_fee=500), sequence=9) == Place.REPLACES
    assert queue.place_for(bumped(ALICE, 6, base_fee=500), sequence=9) == Place.LATER


def test_full_queue_asks_to_come_later() -> None:
    queue = queue_with(*(payment(ALICE, number) for number in range(QUEUE_MAX)))
    assert queue.place_for(payment(BOB, 1), sequence=9) == Place.LATER


def test_a_ledger_takes_the_first_that_came() -> None:
    came = [payment(ALICE, number) for number in range(LEDGER_TRANSACTIONS_MAX + 1)]
    batch = queue_with(*came).next_batch()
    assert [waiting.envelope.hash for waiting in batch] == [one.hash for one in came[:-1]]


def test_patience_ends_after_four_ledgers_and_the_ban_after_ten() -> None:
    envelope = payment(ALICE, 5)
    queue = queue_with(envelope)
    assert [queue.grow_old(sequence=ledger) for ledger in (10, 11, 12)] == [[], [], []]
    assert queue.grow_old(sequence=13) == [envelope.hash]
    queue.leave([envelope.hash])
    queue.ban([envelope.hash], sequence=13)
    assert queue.place_for(envelope, sequence=23) == Place.LATER
    assert queue.place_for(envelope, sequence=24) == Place.FREE
    queue.grow_old(sequence=24)
    assert queue.banned_until == {}
