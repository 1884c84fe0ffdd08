"""Between a signature and a payment: what is sent, what is sent again, and what never twice."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connections

from billing import advancing, conf, submitting
from billing.domain.errors import NetworkUnavailable
from billing.domain.payments import Terms
from billing.domain.purchases import State
from billing.models import ChainTransaction, GrantedToken, Payment, Purchase
from billing.moving import due
from billing.orders import terms_of
from billing.rails.port import NEVER_TAKEN, Kind, Receipt, Refusal, Refused, Sent
from gateway.models import GrantLedger
from tests.billing.working import Shop, state_of
from tests.fakes.rail import VALID_FOR_LEDGERS

FINAL = Refused(Refusal.FINAL, "insufficient-balance", "Add funds.")
SPENT = Refused(Refusal.SPENT, "already-used", "It is on chain.")
LATER = Refused(Refusal.LATER, "try-again", "Not now.")
# What does not depend on how the database locks, or on what an error does to a transaction.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    shop = Shop()
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def test_authorized_purchase_is_submitted_paid_and_granted(shop: Shop) -> None:
    purchase = shop.authorized()
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED
    shop.rail.close_ledger()
    shop.turn()
    assert state_of(purchase) == State.GRANTED
    assert GrantLedger.objects.get().grant_id == purchase.pk
    assert GrantedToken.objects.get().purchase_id == purchase.pk
    assert Payment.objects.get().standing == "matched"


@on_sqlite
def test_envelope_is_committed_before_it_is_first_sent(shop: Shop) -> None:
    kept: list[str] = []
    send = shop.rail.send

    def look_and_send(body: str) -> Receipt:
        kept.append(ChainTransaction.objects.get().envelope)
        assert not connections["default"].in_atomic_block
        return send(body)

    shop.rail.send = look_and_send  # type: ignore[method-assign] # the moment to look at
    shop.authorized()
    shop.turn()
    assert kept == shop.rail.sent


@on_sqlite
def test_envelope_that_nobody_knows_of_is_sent_again_unchanged(shop: Shop) -> None:
    shop.rail.loses = True
    purchase = shop.authorized()
    for _ in range(4):
        shop.turn()
    shop.rail.loses = False
    shop.turn()
    shop.rail.close_ledger()
    shop.turn()
    assert len(shop.rail.sent) > 2
    assert len(set(shop.rail.sent)) == 1
    assert state_of(purchase) == State.GRANTED


def test_another_envelope_is_built_only_when_the_first_is_provably_dead(shop: Shop) -> None:
    shop.rail.loses = True
    purchase = shop.authorized()
    shop.turn()
    first = ChainTransaction.objects.get()
    while shop.rail.closed_at_s <= first.last_moment_s:
        shop.turn()
        assert ChainTransaction.objects.count() == 1
        shop.rail.pass_ledgers(1)
        shop.ahead_s = 0
    shop.rail.loses = False
    shop.turn()
    shop.turn()
    first.refresh_from_db()
    second = ChainTransaction.objects.exclude(pk=first.pk).get()
    assert (first.state, second.sequence) == ("dead", first.sequence)
    shop.rail.close_ledger()
    shop.turn()
    assert state_of(purchase) == State.GRANTED


@on_sqlite
def test_envelope_is_not_called_dead_by_a_node_that_forgot(shop: Shop) -> None:
    shop.rail.loses = True
    shop.authorized()
    shop.turn()
    shop.rail.pass_ledgers(20)
    shop.rail.oldest_ledger = shop.rail.ledger
    shop.turn()
    assert ChainTransaction.objects.get().state == "sent"


@on_sqlite
def test_unknown_outcome_of_sending_stays_submitted_and_is_granted_once(shop: Shop) -> None:
    shop.rail.receipt = Receipt(Sent.UNKNOWN, "no answer")
    purchase = shop.authorized()
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED
    shop.rail.close_ledger()
    shop.turn()
    shop.turn()
    assert state_of(purchase) == State.GRANTED
    assert GrantedToken.objects.count() == 1


@on_sqlite
@pytest.mark.parametrize("sent", [Sent.LATER, *sorted(NEVER_TAKEN - {Sent.CHANNEL_POOR})])
def test_refused_sending_never_ends_a_purchase(shop: Shop, sent: Sent) -> None:
    shop.rail.receipt = Receipt(sent, "txCODE")
    purchase = shop.authorized()
    shop.turn()
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED
    assert set(ChainTransaction.objects.values_list("last_code", flat=True)) == {"txCODE"}
    shop.rail.receipt = Receipt(Sent.ACCEPTED)
    shop.turn()
    shop.rail.close_ledger()
    shop.turn()
    assert state_of(purchase) == State.GRANTED


@on_sqlite
@pytest.mark.parametrize("sent", sorted(NEVER_TAKEN - {Sent.CHANNEL_POOR}))
def test_envelope_that_was_refused_when_it_was_first_offered_is_built_anew(
    shop: Shop, sent: Sent
) -> None:
    shop.rail.receipt = Receipt(sent, "txCODE")
    shop.authorized()
    shop.turn()
    assert ChainTransaction.objects.get().state == "dead"
    shop.turn()
    assert ChainTransaction.objects.count() == 2
    assert len(set(shop.rail.sent)) == 2


@on_sqlite
@pytest.mark.parametrize("sent", sorted(NEVER_TAKEN - {Sent.CHANNEL_POOR}))
@pytest.mark.parametrize("before", [Sent.UNKNOWN, Sent.ACCEPTED, Sent.LATER])
def test_envelope_that_somebody_may_have_is_never_built_anew_while_it_can_be_applied(
    shop: Shop, before: Sent, sent: Sent
) -> None:
    shop.rail.loses = True
    shop.rail.receipt = Receipt(before)
    shop.authorized()
    shop.turn()
    shop.rail.receipt = Receipt(sent, "txCODE")
    for _ in range(3):
        shop.turn()
    assert len(shop.rail.sent) > 1
    assert len(set(shop.rail.sent)) == 1
    assert ChainTransaction.objects.get().state == "sent"


@on_sqlite
def test_envelope_whose_first_sending_was_cut_short_counts_as_sent(shop: Shop) -> None:
    """A worker that died while it sent: nobody knows what the node has."""
    send = shop.rail.send

    def die(body: str) -> Receipt:
        raise KeyboardInterrupt

    shop.rail.send = die  # type: ignore[method-assign] # the moment of its death
    shop.authorized()
    with pytest.raises(KeyboardInterrupt):
        shop.turn()
    shop.rail.send = send  # type: ignore[method-assign] # the next worker's
    shop.rail.receipt = Receipt(Sent.STALE_SEQUENCE, "txBAD_SEQ")
    for _ in range(2):
        shop.turn()
    assert ChainTransaction.objects.get().state == "sent"


def test_purchases_wait_for_a_channel_in_the_order_of_their_authorizations(shop: Shop) -> None:
    purchases = []
    for _ in range(6):
        shop.ahead_s += 1
        purchases.append(shop.authorized())
    order = list(Purchase.objects.order_by("authorized_at_s", "pk").values_list("pk", flat=True))
    for done in range(0, 6, 2):
        shop.turn(seconds=0.1)
        under_way = Purchase.objects.filter(state=State.SUBMITTED).values_list("pk", flat=True)
        assert set(under_way) == set(order[done : done + 2])
        shop.rail.close_ledger()
    shop.turn(seconds=0.1)
    assert {state_of(purchase) for purchase in purchases} == {State.GRANTED}


@on_sqlite
def test_poor_channel_is_left_out_and_the_next_one_used(shop: Shop) -> None:
    shop.rail.receipt = Receipt(Sent.CHANNEL_POOR, "txINSUFFICIENT_BALANCE")
    shop.authorized()
    shop.turn()
    poor = ChainTransaction.objects.get().channel
    assert poor is not None
    assert not poor.usable


@on_sqlite
@pytest.mark.parametrize(
    ("refused", "state"),
    [(FINAL, State.REJECTED), (SPENT, State.AUTHORIZED), (LATER, State.AUTHORIZED)],
)
def test_refusal_before_sending_ends_a_purchase_only_when_it_is_final(
    shop: Shop, refused: Refused, state: State
) -> None:
    shop.rail.refuses = refused
    purchase = shop.authorized()
    shop.turn()
    assert state_of(purchase) == state
    assert shop.rail.sent == []
    assert not ChainTransaction.objects.exists()


@on_sqlite
@pytest.mark.parametrize(
    ("refused", "state"),
    [(FINAL, State.FAILED), (SPENT, State.SUBMITTED), (LATER, State.SUBMITTED)],
)
def test_failure_on_chain_ends_a_purchase_only_when_it_is_final(
    shop: Shop, refused: Refused, state: State
) -> None:
    shop.rail.fails = refused
    purchase = shop.authorized()
    shop.turn()
    shop.rail.close_ledger()
    shop.rail.away = False
    advancing.advance(purchase.pk, now_s=shop.now_s + 10)
    assert state_of(purchase) == state
    purchase.refresh_from_db()
    assert purchase.problem == ("insufficient-balance" if refused is FINAL else "")


@on_sqlite
def test_network_that_does_not_answer_changes_nothing(shop: Shop) -> None:
    purchase = shop.authorized()
    shop.rail.away = True
    with pytest.raises(NetworkUnavailable):
        advancing.advance(purchase.pk, now_s=shop.now_s + 1)
    assert state_of(purchase) == State.AUTHORIZED
    shop.rail.away = False
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED


@on_sqlite
def test_purchase_expires_only_when_evidence_is_followed_past_its_last_ledger(shop: Shop) -> None:
    purchase = shop.instruct()
    shop.rail.pass_ledgers(VALID_FOR_LEDGERS)
    shop.turn()
    assert state_of(purchase) == State.INSTRUCTED
    shop.rail.pass_ledgers(1)
    shop.turn()
    assert state_of(purchase) == State.EXPIRED


@on_sqlite
def test_submitted_purchase_expires_after_its_envelope_is_dead(shop: Shop) -> None:
    shop.rail.loses = True
    purchase = shop.authorized()
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED
    shop.rail.pass_ledgers(VALID_FOR_LEDGERS + 1)
    shop.turn()
    shop.turn()
    assert state_of(purchase) == State.EXPIRED
    assert set(ChainTransaction.objects.values_list("state", flat=True)) == {"dead"}


@on_sqlite
@pytest.mark.parametrize("refused", [None, FINAL])
def test_evidence_after_the_end_is_granted_all_the_same(
    shop: Shop, refused: Refused | None
) -> None:
    shop.rail.refuses = refused
    purchase = shop.authorized() if refused else shop.instruct()
    shop.rail.pass_ledgers(0 if refused else VALID_FOR_LEDGERS + 1)
    shop.turn()
    assert state_of(purchase) in {State.EXPIRED, State.REJECTED}
    shop.rail.pay(_terms(purchase))
    shop.turn()
    assert state_of(purchase) == State.GRANTED


def test_channel_is_free_again_after_somebody_else_sent_the_payment(shop: Shop) -> None:
    purchase = shop.authorized()
    shop.turn()
    shop.rail.mempool.clear()
    shop.rail.pay(_terms(purchase), tx_hash="cd" * 32)
    shop.turn()
    assert state_of(purchase) == State.GRANTED
    shop.rail.pass_ledgers(20)
    shop.turn(seconds=60)
    assert ChainTransaction.objects.get().state == "dead"


@on_sqlite
def test_purchase_does_not_lapse_while_its_envelope_is_open(shop: Shop) -> None:
    purchase = shop.authorized()
    shop.turn()
    shop.rail.mempool.clear()
    shop.rail.ledger += VALID_FOR_LEDGERS + 1  # Closed fast: the envelope's last moment is ahead.
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED
    assert ChainTransaction.objects.get().state == "sent"
    shop.rail.pass_ledgers(20)
    for _ in range(2):
        shop.turn()
    assert state_of(purchase) == State.EXPIRED


def test_refusal_ends_nothing_that_another_worker_has_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchase = shop.authorized()

    def overtaken(*_: object) -> Refused:
        monkeypatch.undo()
        purchase.refresh_from_db()
        submitting.step(purchase, now_s=shop.now_s)
        return FINAL

    monkeypatch.setattr(shop.rail, "build", overtaken)
    shop.turn()
    assert state_of(purchase) == State.SUBMITTED
    shop.rail.close_ledger()
    shop.turn()
    assert state_of(purchase) == State.GRANTED


def test_many_workers_at_one_purchase_make_one_envelope_and_one_grant(shop: Shop) -> None:
    purchase = shop.authorized()
    together(8, lambda: advancing.advance(purchase.pk, now_s=shop.now_s + 1))
    assert ChainTransaction.objects.count() == 1
    shop.rail.close_ledger()
    together(8, lambda: advancing.advance(purchase.pk, now_s=shop.now_s + 10))
    together(8, lambda: advancing.advance(purchase.pk, now_s=shop.now_s + 20))
    assert state_of(purchase) == State.GRANTED
    assert GrantedToken.objects.count() == 1
    assert Payment.objects.count() == 1


def together(count: int, act: Callable[[], object]) -> None:
    """The same act in many threads at one moment."""
    barrier = threading.Barrier(count)
    raised: list[BaseException] = []

    def run() -> None:
        barrier.wait()
        try:
            act()
        except BaseException as exc:  # noqa: BLE001 - reported below
            raised.append(exc)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


def _terms(purchase: Purchase) -> Terms:
    purchase.refresh_from_db()
    return terms_of(purchase)


@on_sqlite
def test_who_only_waits_for_a_channel_needs_no_worker_until_one_is_free(shop: Shop) -> None:
    first, second = shop.authorized(), shop.authorized()
    shop.turn(seconds=0.1)
    third = shop.authorized()
    assert advancing.due_ids(now_s=shop.now_s) == []  # It was left alone at once.
    due(third.pk, at_s=shop.now_s)
    submitting.park(now_s=shop.now_s)
    assert advancing.due_ids(now_s=shop.now_s) == []
    shop.rail.close_ledger()
    for _ in range(2):
        shop.turn(seconds=0.1)
        shop.rail.close_ledger()
    shop.turn(seconds=0.1)
    assert {state_of(each) for each in (first, second, third)} == {State.GRANTED}


@on_sqlite
def test_who_needs_no_channel_takes_none_from_who_waits(shop: Shop) -> None:
    waiting, *others = (shop.authorized() for _ in range(3))
    theirs = Purchase.objects.filter(pk__in=[each.pk for each in others])
    theirs.update(authorization_kind=Kind.TRANSACTION)
    due(waiting.pk, at_s=shop.now_s + submitting.CHANNELS_BUSY_SECONDS)
    advancing.wake(now_s=shop.now_s)
    assert waiting.pk in advancing.due_ids(now_s=shop.now_s)
