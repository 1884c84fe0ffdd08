import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import IntegrityError, connections, transaction

from gateway.domain.limits import Calls, Credits, Data, Direction, Limit, Messages
from gateway.domain.tokens import Grant, Starts
from gateway.journal import Journal
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.port import (
    LEASE_TIME_S,
    Draw,
    Drawn,
    End,
    LedgerUnavailable,
    Node,
    NodeLost,
    Open,
    Opened,
    Return,
    Verdict,
)
from gateway.models import GatewayNode, GrantLedger, Lease, LimiterLedger
from tests.gateway.selling import LONG_AGO_S, make_grant, sell, used
from tests.promptness import within

BOOT = "11111111-2222-3333-4444-555555555555"
OTHER_BOOT = "11111111-2222-3333-4444-666666666666"
SLOT = 16


@pytest.fixture
def ledger(database: str) -> Iterator[DatabaseLedger]:
    ledger = DatabaseLedger()
    yield ledger
    ledger.close()


class Spender:
    """A node that asks the ledger directly."""

    def __init__(self, ledger: DatabaseLedger, journals: Path, boot: str = BOOT) -> None:
        self.ledger = ledger
        self.journal = Journal(journals, uuid.uuid4(), boot)
        node_id = uuid.UUID(self.journal.path.stem)
        self.node = Node(node_id, boot, "here", self.journal.path)
        ledger.register(self.node)

    def draw(self, grant: Grant, *, slot: int = SLOT, **given: int) -> Drawn:
        limit: Limit = grant.limits[0]
        numbers = {"known": 0, "spent": 0, "waiting": 1, "last_second": 0, "asked": 0} | given
        ask = Draw(slot=slot, grant_id=grant.id, index=0, limit=limit, window=None, **numbers)
        return self.ledger.transact(self.node.id, [ask]).drawn[slot]

    def give_back(self, keep: int, *, close: bool = True) -> None:
        self.ledger.transact(self.node.id, [Return(SLOT, keep, close)])

    def die(self) -> None:
        self.journal.close(remove=False)


@pytest.fixture
def one(ledger: DatabaseLedger, tmp_path: Path) -> Spender:
    return Spender(ledger, tmp_path)


@pytest.fixture
def two(ledger: DatabaseLedger, tmp_path: Path) -> Spender:
    return Spender(ledger, tmp_path)


def test_what_is_leased_counts_as_used(one: Spender) -> None:
    grant = sell(Calls(100))
    drawn = one.draw(grant, last_second=10)
    assert (drawn.verdict, drawn.amount, drawn.left) == (Verdict.LEASED, 20, 80)
    assert used(grant) == 20


def test_an_ask_repeated_after_a_lost_answer_leases_nothing_more(one: Spender) -> None:
    grant = sell(Calls(100))
    assert one.draw(grant, waiting=5).amount == 5
    assert one.draw(grant, waiting=5).amount == 5
    assert one.draw(grant, known=5, spent=5, waiting=1).amount == 6
    assert used(grant) == 6


def test_a_return_heard_twice_returns_once(one: Spender) -> None:
    grant = sell(Calls(100))
    one.draw(grant, waiting=10)
    one.give_back(4, close=False)
    one.give_back(4, close=False)
    assert used(grant) == 4
    one.give_back(4)
    one.give_back(4)
    assert used(grant) == 4
    assert not Lease.objects.exists()


def test_a_node_that_kept_more_than_it_had_undoes_the_transaction(one: Spender) -> None:
    grant = sell(Calls(100))
    one.draw(grant, waiting=10)
    with pytest.raises(LedgerUnavailable):
        one.give_back(11)
    assert used(grant) == 10


@pytest.mark.parametrize("spent", [-1, 101])
def test_the_database_refuses_a_count_outside_the_limit(one: Spender, spent: int) -> None:
    grant = sell(Calls(100))
    with pytest.raises(IntegrityError), transaction.atomic():
        LimiterLedger.objects.filter(grant_id=grant.id).update(used=spent)
    assert used(grant) == 0


def test_a_grant_without_a_ledger_is_not_given_one(one: Spender) -> None:
    grant = make_grant(Calls(100))
    settled = one.ledger.transact(one.node.id, [Open(grant.id)])
    assert settled.opened == {grant.id: None}
    assert one.draw(grant).verdict is Verdict.NO_LEDGER
    assert not GrantLedger.objects.exists()
    assert not LimiterLedger.objects.exists()


def test_exhaustion_is_final_when_nobody_else_holds_any(one: Spender) -> None:
    grant = sell(Calls(3))
    one.draw(grant, waiting=3)
    drawn = one.draw(grant, known=3, spent=3)
    assert (drawn.verdict, drawn.alone) == (Verdict.EXHAUSTED, True)


def test_what_others_hold_is_recalled_and_comes_back(one: Spender, two: Spender) -> None:
    grant = sell(Calls(3))
    one.draw(grant, waiting=3)
    drawn = two.draw(grant)
    assert (drawn.verdict, drawn.asked) == (Verdict.RECALLING, 1)
    assert two.draw(grant, asked=1).verdict is Verdict.RECALLING
    one.give_back(1, close=False)
    drawn = two.draw(grant, asked=1)
    assert (drawn.verdict, drawn.amount, drawn.left) == (Verdict.LEASED, 1, 1)


def test_exhaustion_is_final_when_all_others_have_answered(one: Spender, two: Spender) -> None:
    grant = sell(Calls(3))
    one.draw(grant, waiting=3)
    two.draw(grant)
    one.give_back(3, close=False)
    drawn = two.draw(grant, asked=1)
    assert (drawn.verdict, drawn.alone) == (Verdict.EXHAUSTED, False)


def test_units_that_somebody_needs_at_once_are_recalled_from_the_others(
    one: Spender, two: Spender
) -> None:
    grant = sell(Data(Direction.UP, 100))
    one.draw(grant, waiting=60)
    one.give_back(30, close=False)
    assert two.draw(grant, waiting=50, least=1).verdict is Verdict.LEASED
    drawn = two.draw(grant, slot=SLOT + 1, waiting=80, least=80)
    assert (drawn.verdict, drawn.amount) == (Verdict.RECALLING, 0)
    alone = sell(Data(Direction.UP, 100), number=2)
    drawn = one.draw(alone, slot=SLOT + 2, waiting=200, least=200)
    assert (drawn.verdict, drawn.amount, drawn.alone) == (Verdict.EXHAUSTED, 100, True)


def test_messages_are_leased_by_sixteen(one: Spender) -> None:
    grant = sell(Messages(Direction.BOTH, 100))
    assert one.draw(grant).amount == 16
    row = LimiterLedger.objects.get(grant_id=grant.id)
    assert (row.kind, row.limit, row.used) == ("messages", 100, 16)


def test_a_lease_made_during_a_recall_has_yet_to_answer_it(
    one: Spender, two: Spender, ledger: DatabaseLedger, tmp_path: Path
) -> None:
    grant = sell(Calls(3))
    three = Spender(ledger, tmp_path)
    one.draw(grant, waiting=3)
    two.draw(grant)
    one.give_back(0)
    taken = three.draw(grant, waiting=3)
    assert (taken.amount, taken.recalled) == (3, True)
    assert two.draw(grant, asked=1).verdict is Verdict.RECALLING
    three.give_back(3, close=False)
    assert two.draw(grant, asked=1).verdict is Verdict.EXHAUSTED


def test_units_too_few_for_one_call_stay_in_the_ledger(one: Spender) -> None:
    grant = sell(Credits(25, per_call=1, max_per_call=10))
    assert one.draw(grant, waiting=30).amount == 25
    one.give_back(16)
    drawn = one.draw(grant, waiting=10)
    assert (drawn.verdict, drawn.amount, drawn.left) == (Verdict.EXHAUSTED, 0, 9)
    assert not Lease.objects.exists()


def test_a_window_renews_by_the_databases_clock_and_binds_its_leases(one: Spender) -> None:
    grant = sell(Calls(10, window_seconds=3600))
    first = one.draw(grant, waiting=10)
    assert one.draw(grant, known=10, spent=10).verdict is Verdict.EXHAUSTED
    assert 0 < first.valid_for_s <= 3600
    GrantLedger.objects.update(not_before=LONG_AGO_S - 3600)
    over = one.draw(grant, known=10, spent=10)
    assert (over.verdict, over.amount, over.window) == (Verdict.WINDOW_OVER, 10, first.window)
    renewed = one.draw(grant, slot=SLOT + 1)
    assert (renewed.amount, renewed.window) == (1, first.window + 1)
    assert list(LimiterLedger.objects.order_by("window").values_list("used", flat=True)) == [
        0,
        10,
        1,
    ]


def test_the_first_use_is_recorded_once(one: Spender, two: Spender) -> None:
    grant = sell(Calls(10), starts=Starts.FIRST_USE)
    first = one.ledger.transact(one.node.id, [Open(grant.id)]).opened[grant.id]
    assert isinstance(first, Opened)
    assert first.first_used_at_s == pytest.approx(time.time(), abs=60)
    assert two.ledger.transact(two.node.id, [Open(grant.id)]).opened[grant.id] == first


def test_a_grant_that_starts_with_its_purchase_has_no_first_use(one: Spender) -> None:
    grant = sell(Calls(10))
    assert one.ledger.transact(one.node.id, [Open(grant.id)]).opened == {grant.id: Opened(None)}


def test_the_last_end_is_remembered(one: Spender) -> None:
    grant = sell(Calls(10))
    one.ledger.transact(one.node.id, [End(grant.id, "expired", 17.5)])
    ledger = GrantLedger.objects.get()
    assert (ledger.last_end_reason, ledger.last_end_at) == ("expired", 17.5)


def test_the_dead_give_back_what_their_journal_does_not_show_spent_once(
    one: Spender, two: Spender
) -> None:
    grant = sell(Calls(100))
    one.draw(grant, waiting=30)
    one.journal.words[SLOT] = 12
    assert two.ledger.recover(two.node) == 0
    one.die()
    assert two.ledger.recover(two.node) == 18
    assert two.ledger.recover(two.node) == 0
    assert used(grant) == 12
    assert [node.pk for node in GatewayNode.objects.all()] == [two.node.id]


def test_after_a_reboot_nothing_goes_back(
    one: Spender, ledger: DatabaseLedger, tmp_path: Path
) -> None:
    grant = sell(Calls(100))
    one.draw(grant, waiting=30)
    one.die()
    rebooted = Spender(ledger, tmp_path, OTHER_BOOT)
    assert rebooted.ledger.recover(rebooted.node) == 0
    assert used(grant) == 30
    assert Lease.objects.get().amount == 30


def test_a_node_whose_leases_were_settled_may_ask_for_nothing(one: Spender) -> None:
    grant = sell(Calls(100))
    GatewayNode.objects.all().delete()
    with pytest.raises(NodeLost):
        one.draw(grant)
    assert used(grant) == 0


def test_a_machine_silent_for_the_lease_time_is_not_waited_for(one: Spender, two: Spender) -> None:
    grant = sell(Calls(3))
    one.draw(grant, waiting=3)
    silent_since = time.time() - LEASE_TIME_S - 1
    GatewayNode.objects.filter(pk=one.node.id).update(heartbeat_at=silent_since)
    assert two.draw(grant).verdict is Verdict.EXHAUSTED
    assert used(grant) == 3


def test_the_heartbeat_is_written_once_a_second_at_most(one: Spender) -> None:
    before = GatewayNode.objects.get().heartbeat_at
    assert one.ledger.transact(one.node.id, []).heartbeat_age_s < 1
    assert GatewayNode.objects.get().heartbeat_at == before
    GatewayNode.objects.update(heartbeat_at=before - 5)
    assert one.ledger.transact(one.node.id, []).heartbeat_age_s == 0
    assert GatewayNode.objects.get().heartbeat_at >= before


def test_who_leaves_settles_everything(one: Spender) -> None:
    grant = sell(Calls(100))
    one.draw(grant, waiting=30)
    one.ledger.leave(one.node.id, [Return(SLOT, 7, close=True)])
    assert used(grant) == 7
    assert not GatewayNode.objects.exists()


def test_who_forgets_a_lease_cannot_leave(one: Spender) -> None:
    grant = sell(Calls(100))
    one.draw(grant, waiting=30)
    with pytest.raises(LedgerUnavailable):
        one.ledger.leave(one.node.id, [])
    assert used(grant) == 30
    assert GatewayNode.objects.exists()


def test_a_lock_that_is_not_released_is_not_waited_for_longer_than_two_seconds(
    one: Spender,
) -> None:
    grant = sell(Calls(100))
    locked, enough = threading.Event(), threading.Event()

    def hold_the_row() -> None:
        with transaction.atomic():
            LimiterLedger.objects.update(recall=0)
            locked.set()
            enough.wait(20)
        connections["default"].close()

    holder = threading.Thread(target=hold_the_row)
    holder.start()
    assert locked.wait(20)
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable):
        one.draw(grant)
    assert 1.5 < time.monotonic() - began < within(4)
    enough.set()
    holder.join()
    assert one.draw(grant).amount == 1
