import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from gateway.chronicle import Entry, Unwritable
from gateway.domain.chronicle import RECENT_MAX, Call, Key, Line
from gateway.ledgers import chronicling
from gateway.ledgers.chronicling import Books, forget
from gateway.models import RecentCall, UsageMinute, UsageWriter

pytestmark = pytest.mark.usefixtures("database")
KEY = Key(29_000_000, "9f" * 32, "files/all", 7)
CALL = Call(KEY.minute * 60 + 5.5, "GET", "/a", 200, "completed", 1, 2, 3, 4, 0.004, False, "ci")


def entry(key: Key = KEY, calls: int = 1, **changes: object) -> Entry:
    line = Line()
    for _ in range(calls):
        line.called(CALL._replace(**changes))
    return Entry(key, line, list(line.recent))


@pytest.fixture
def books() -> Books:
    return Books()


def test_batches_of_a_minute_add_up(books: Books) -> None:
    refused = Line()
    refused.refused("rate-exceeded", 2)
    books.write(1, [entry(calls=3), Entry(Key(KEY.minute, "", "files/all", 7), refused, [])])
    books.write(2, [entry(calls=2, upstream_failed=True), Entry(KEY, refused, [])][:1])
    row = UsageMinute.objects.get(grant=KEY.grant_id)
    assert row.minute == datetime.fromtimestamp(KEY.minute * 60, UTC)
    assert (row.calls, row.bytes_up, row.bytes_down, row.credits, row.messages) == (
        5,
        5,
        10,
        15,
        20,
    )
    assert (row.upstream_failures, sum(row.latencies)) == (2, 5)
    unpaid = UsageMinute.objects.get(grant="")
    assert (unpaid.calls, unpaid.refusals) == (0, {"rate-exceeded": 2})
    books.close()


def test_batch_that_is_written_again_counts_once(books: Books) -> None:
    for _ in range(3):
        books.write(1, [entry(calls=3)])
    books.write(2, [entry()])
    books.write(1, [entry()])
    assert UsageMinute.objects.get().calls == 4
    assert RecentCall.objects.count() == 4
    books.close()


def test_two_processes_of_the_same_minute_add_up() -> None:
    for _ in range(2):
        books = Books()
        books.write(1, [entry(calls=2)])
        books.close()
    assert UsageMinute.objects.get().calls == 4
    assert UsageWriter.objects.count() == 2


def test_nodes_that_write_at_once_lose_nothing_and_do_not_lock_each_other_out() -> None:
    keys = [KEY._replace(grant_id=f"{number:064x}") for number in range(6)]

    def write(order: Callable[[list[Key]], list[Key]]) -> None:
        books = Books()
        try:
            for number in range(1, 9):
                books.write(number, [entry(key) for key in order(keys)])
        finally:
            books.close()
            connections["default"].close()

    threads = [
        threading.Thread(target=write, args=(order,))
        for order in (list, lambda some: some[::-1], lambda some: some[3:] + some[:3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.calls for row in UsageMinute.objects.all()] == [24] * 6


def test_a_grant_has_no_more_recent_calls_than_the_ring_holds(books: Books) -> None:
    other = KEY._replace(grant_id="ab" * 32)
    for number in range(1, 4):
        books.write(number, [entry(calls=15, path=f"/{number}"), entry(other)])
    latest = list(RecentCall.objects.filter(grant=KEY.grant_id).order_by("-id"))
    assert len(latest) == RECENT_MAX
    assert {call.path for call in latest[:15]} == {"/3"}
    assert {call.path for call in latest[15:]} == {"/2"}
    assert RecentCall.objects.filter(grant=other.grant_id).count() == 3
    books.close()


def test_recent_call_says_how_it_went(books: Books) -> None:
    long = {"path": "/" + "x" * 300, "method": "M" * 40, "status": None, "answered_in_s": None}
    books.write(1, [entry(), entry(KEY._replace(grant_id="ab" * 32), **long)])
    call = RecentCall.objects.get(grant=KEY.grant_id)
    assert call.at == datetime.fromtimestamp(CALL.at_s, UTC)
    assert (call.method, call.path, call.status, call.end) == ("GET", "/a", 200, "completed")
    assert call.token == "ci"
    assert (call.bytes_up, call.bytes_down, call.credits, call.messages) == (1, 2, 3, 4)
    assert (call.answered_in_ms, call.route) == (4, "files/all")
    cut = RecentCall.objects.get(grant="ab" * 32)
    assert (len(cut.path), len(cut.method), cut.answered_in_ms) == (200, 32, None)
    books.close()


def test_what_the_database_can_never_hold_is_said_to_be_unwritable(books: Books) -> None:
    with pytest.raises(Unwritable):
        books.write(1, [entry(status=-(2**40))])
    assert UsageMinute.objects.count() == 0
    books.write(2, [entry()])
    assert UsageMinute.objects.get().calls == 1
    books.close()


def test_what_is_old_is_forgotten_a_part_at_a_time(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicling, "FORGOTTEN_AT_ONCE", 2)
    old, new = KEY, KEY._replace(minute=KEY.minute + 60)
    books.write(1, [entry(old._replace(grant_id=f"{n:064x}")) for n in range(3)])
    books.write(2, [entry(new, at_s=new.minute * 60.0)])
    before = datetime.fromtimestamp(new.minute * 60, UTC) - timedelta(seconds=1)
    assert [forget(before), forget(before), forget(before)] == [4, 2, 0]
    assert UsageMinute.objects.get().grant == new.grant_id
    assert RecentCall.objects.get().grant == new.grant_id
    assert UsageWriter.objects.count() == 1
    books.close()


def test_route_that_passed_to_another_provider_has_a_line_for_each(books: Books) -> None:
    books.write(1, [entry(calls=2), entry(KEY._replace(provider=8))])
    books.write(2, [entry(KEY._replace(provider=8))])
    assert dict(UsageMinute.objects.values_list("provider", "calls")) == {7: 2, 8: 2}
    assert RecentCall.objects.filter(provider=8).count() == 2
    books.close()
