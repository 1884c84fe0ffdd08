import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.limits import Calls, Credits
from gateway.domain.tokens import Grant
from gateway.ledgers import booking
from gateway.ledgers.booking import Bookings, NoCredits, OtherBooking, UnknownGrant
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.port import Draw, Drawn, Node, Return, Verdict
from gateway.ledgers.reading import usage_of
from gateway.models import Booking, GrantLedger, LimiterLedger
from tests.databases import in_thread
from tests.gateway.selling import make_grant, sell, used

CREDITS = Credits(100, per_call=1, max_per_call=10)
SLOT = 16


class Spender:
    """One node that leases from the ledger."""

    def __init__(self, grant: Grant, limit: Credits = CREDITS) -> None:
        self.ledger = DatabaseLedger()
        self.grant, self.limit = grant, limit
        self.id = uuid.uuid4()
        self.ledger.register(Node(self.id, "1" * 36, "here", Path("/nowhere")))

    def draw(self, waiting: int, *, known: int = 0, spent: int = 0) -> Drawn:
        ask = Draw(SLOT, self.grant.id, 0, self.limit, None, known, spent, waiting, 0, 0)
        return self.ledger.transact(self.id, [ask]).drawn[SLOT]

    def give_back(self, keep: int) -> None:
        self.ledger.transact(self.id, [Return(SLOT, keep, close=False)])


@pytest.fixture
def grant(database: str) -> Grant:
    return sell(CREDITS)


@pytest.fixture
def spender(grant: Grant) -> Iterator[Spender]:
    spender = Spender(grant)
    yield spender
    spender.ledger.close()


def left(grant: Grant) -> int:
    usage = usage_of(grant.id, time.time())
    assert usage is not None
    return usage.limits[0].left


def row() -> LimiterLedger:
    return LimiterLedger.objects.get()


def test_what_is_given_can_be_spent_beyond_what_was_sold(spender: Spender) -> None:
    booking.adjust(spender.grant.id, "a", 50, may_take=False)
    assert left(spender.grant) == 150
    assert spender.draw(150).amount == 150


def test_a_key_is_booked_once(grant: Grant) -> None:
    first, again = (booking.adjust(grant.id, "a", 50, may_take=False) for _ in range(2))
    assert (first.is_new, again.is_new) == (True, False)
    assert left(grant) == 150
    with pytest.raises(OtherBooking):
        booking.adjust(grant.id, "a", 51, may_take=False)
    booking.consume(grant.id, "a", 5)
    assert left(grant) == 145


async def test_a_key_is_booked_once_by_many_at_once(grant: Grant) -> None:
    threads = [
        threading.Thread(target=lambda: booking_in_own_connection(grant.id)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await in_thread(thread.join)
    assert await in_thread(used, grant) == 7


def booking_in_own_connection(grant_id: str) -> None:
    from django.db import connections  # noqa: PLC0415 - of this thread

    try:
        booking.consume(grant_id, "same", 7)
    finally:
        connections["default"].close()


def test_taking_what_was_sold_is_refused_and_kept_for_staff(grant: Grant) -> None:
    booking.adjust(grant.id, "a", 30, may_take=False)
    assert not booking.adjust(grant.id, "b", -30, may_take=False).refused
    assert booking.adjust(grant.id, "c", -1, may_take=False).refused
    assert left(grant) == 100
    assert Booking.objects.get(refused=True).credits == -1
    assert booking.adjust(grant.id, "c", -1, may_take=False).refused


def test_adjustable_grant_is_taken_from(grant: Grant) -> None:
    assert not booking.adjust(grant.id, "a", -60, may_take=True).refused
    assert left(grant) == 40


def test_what_is_out_on_lease_is_due_until_it_comes_back(spender: Spender) -> None:
    assert spender.draw(80).amount == 80
    booking.consume(spender.grant.id, "a", 50)
    assert (row().used, row().due) == (100, 30)
    spender.give_back(keep=40)
    assert (row().used, row().due) == (90, 0)
    assert spender.draw(20, known=40, spent=40).verdict is Verdict.LEASED
    assert row().used == 100


def test_more_than_there_is_stays_due_and_nothing_is_granted(spender: Spender) -> None:
    booking.consume(spender.grant.id, "a", 130)
    assert (row().used, row().due, left(spender.grant)) == (100, 30, 0)
    assert spender.draw(1).verdict is Verdict.EXHAUSTED
    booking.adjust(spender.grant.id, "b", 50, may_take=False)
    assert (row().used, row().due, left(spender.grant)) == (130, 0, 20)


def test_grant_has_run_out_when_no_lease_holds_any_more(spender: Spender) -> None:
    grant, now_s = spender.grant, time.time()
    spender.draw(50)
    assert booking.run_out(now_s) == frozenset()
    booking.consume(grant.id, "a", 60)
    assert booking.run_out(now_s) == frozenset()
    spender.give_back(keep=41)
    assert booking.run_out(now_s) == {grant.id}
    assert booking.run_out(now_s + booking.LATELY_S + 1) == frozenset()


def test_grant_with_a_rest_has_not_run_out(grant: Grant) -> None:
    booking.consume(grant.id, "a", 99)
    assert booking.run_out(time.time()) == frozenset()
    booking.consume(grant.id, "b", 1)
    assert booking.run_out(time.time()) == {grant.id}


def test_booking_counts_in_the_current_window(database: str) -> None:
    renewing = sell(Credits(100, window_seconds=3600))
    booking.consume(renewing.id, "a", 100)
    assert (left(renewing), row_of_now(renewing).used) == (0, 100)
    assert booking.run_out(time.time()) == {renewing.id}
    assert booking.run_out(time.time() + 3600) == frozenset()


def row_of_now(grant: Grant) -> LimiterLedger:
    return LimiterLedger.objects.filter(grant_id=grant.id, used__gt=0).get()


def test_grant_without_credits_or_ledger_is_not_booked(database: str) -> None:
    plain = sell(Calls(5), number=2)
    with pytest.raises(NoCredits):
        booking.consume(plain.id, "a", 1)
    with pytest.raises(UnknownGrant):
        booking.consume(make_grant(number=3).id, "a", 1)
    bookings = Bookings()
    assert not bookings.adjust(plain.id, "a", 1, may_take=True)
    bookings.close()


def test_clamped_calls_are_counted(grant: Grant) -> None:
    bookings = Bookings()
    for calls in (1, 3):
        bookings.note_clamped(grant.id, calls)
    bookings.close()
    assert GrantLedger.objects.get().clamped == 4
