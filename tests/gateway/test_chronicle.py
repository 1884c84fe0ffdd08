import asyncio

import pytest

from gateway import chronicle
from gateway.chronicle import Chronicle
from gateway.domain.chronicle import Call, Key
from tests.fakes.chronicle import MemoryBooks
from tests.gateway.e2e.world import eventually

CALL = Call(1_000.0, "GET", "/a", 200, "completed", 1, 2, 0, 0, 0.004, False)


class Clock:
    def __init__(self) -> None:
        self.now_s = 600.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def books() -> MemoryBooks:
    return MemoryBooks()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle, "TICK_S", 0.01)


async def test_what_was_counted_is_written_when_the_process_ends(books: MemoryBooks) -> None:
    kept = Chronicle(books, Clock(), write_s=3600)
    await kept.start()
    kept.called(("g", "files/all", 1), CALL)
    kept.called(("g", "files/all", 1), CALL)
    kept.refused(("", "files/all", 1), "payment-required")
    await kept.stop()
    assert books.calls() == {Key(10, "g", "files/all", 1): 2, Key(10, "", "files/all", 1): 0}
    [entries] = books.batches.values()
    refused = next(entry.line for entry in entries if not entry.key.grant_id)
    assert refused.refusals == {"payment-required": 1}
    assert books.closed.is_set()
    assert (kept.total.calls, kept.total.refusals) == (2, {"payment-required": 1})


async def test_calls_of_two_minutes_are_two_lines(books: MemoryBooks) -> None:
    clock = Clock()
    kept = Chronicle(books, clock, write_s=3600)
    await kept.start()
    kept.called(("g", "r", 1), CALL)
    clock.now_s = 661.0
    await eventually(lambda: kept.total.calls == 1)
    kept.called(("g", "r", 1), CALL)
    await kept.stop()
    assert books.calls() == {Key(10, "g", "r", 1): 1, Key(11, "g", "r", 1): 1}


async def test_while_the_database_is_away_lines_wait_and_are_written_once(
    books: MemoryBooks,
) -> None:
    books.is_away = True
    kept = Chronicle(books, Clock(), write_s=0)
    await kept.start()
    kept.called(("g", "r", 1), CALL)
    await eventually(lambda: len(books.tries) >= 2)
    assert set(books.tries) == {1}
    kept.called(("g", "r", 1), CALL)
    books.is_away, books.answers_are_lost = False, True
    await eventually(lambda: len(books.batches) == 1)
    await eventually(lambda: books.tries.count(1) >= 4)
    books.answers_are_lost = False
    await eventually(lambda: len(books.batches) == 2)
    await kept.stop()
    assert books.calls() == {Key(10, "g", "r", 1): 2}
    assert kept.failures >= 3
    assert kept.dropped_calls == 0


async def test_more_lines_than_may_wait_are_dropped_and_counted(
    books: MemoryBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicle, "LINES_MAX", 2)
    kept = Chronicle(books, Clock(), write_s=3600)
    await kept.start()
    for grant_id in ("a", "b", "c", "c"):
        kept.called((grant_id, "r", 1), CALL)
    await kept.stop()
    assert len(books.calls()) == 2
    assert kept.dropped_calls == 2
    assert kept.total.calls == 4


async def test_many_lines_are_several_batches(
    books: MemoryBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicle, "BATCH_LINES", 2)
    kept = Chronicle(books, Clock())
    await kept.start()
    for grant_id in "abcde":
        kept.called((grant_id, "r", 1), CALL)
    await kept.stop()
    assert [len(entries) for entries in books.batches.values()] == [2, 2, 1]
    assert kept.written_lines == 5


async def test_batch_that_the_database_refuses_does_not_hold_up_the_next(
    books: MemoryBooks, caplog: pytest.LogCaptureFixture
) -> None:
    books.refuses = True
    kept = Chronicle(books, Clock(), write_s=0)
    await kept.start()
    kept.called(("g", "r", 1), CALL)
    await eventually(lambda: kept.dropped_calls == 1)
    books.refuses = False
    kept.called(("g", "r", 1), CALL)
    await eventually(lambda: books.calls() == {Key(10, "g", "r", 1): 1})
    await kept.stop()
    assert "is lost" in caplog.text


async def test_without_books_only_the_totals_are_kept() -> None:
    kept = Chronicle(None, Clock(), write_s=0)
    await kept.start()
    kept.called(("g", "r", 1), CALL)
    await eventually(lambda: kept.total.calls == 1)
    await asyncio.wait_for(kept.stop(), 5)
