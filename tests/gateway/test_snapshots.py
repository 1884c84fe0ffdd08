import queue
from collections.abc import Iterator

import pytest
from django.db import connection

from gateway.ledgers.revoking import revoke
from gateway.models import Revocation, Snapshot
from gateway.routing import News, Revoked
from gateway.snapshots import Snapshots

BODY = {"issuer": "https://g", "keys": {}, "services": []}


@pytest.fixture
def news(database: str) -> Iterator["queue.Queue[News]"]:
    told: queue.Queue[News] = queue.Queue()
    source = Snapshots(prefix="/gate/", poll_seconds=0.02)
    source.follow(told.put)
    yield told
    source.close()


def next_table(told: "queue.Queue[News]") -> int:
    while (table := told.get(timeout=5).table) is None:
        pass
    return table.version


def test_newest_snapshot_is_told_once(news: "queue.Queue[News]") -> None:
    first = Snapshot.objects.create(body=BODY)
    assert next_table(news) == first.version
    Snapshot.objects.create(body=BODY)
    newest = Snapshot.objects.create(body=BODY)
    versions = [next_table(news)]
    if versions != [newest.version]:
        versions.append(next_table(news))
    assert versions[-1] == newest.version
    assert all(news.get(timeout=5).table is None for _ in range(3))


@pytest.mark.parametrize("body", [{}, {"issuer": 1}, [], {**BODY, "services": [{"slug": "a"}]}])
def test_body_that_does_not_compile_is_counted_and_the_table_stays(
    database: str, body: object
) -> None:
    source = Snapshots(prefix="/gate/")
    kept = Snapshot.objects.create(body=BODY)
    table = source._read().table
    assert table is not None
    assert table.version == kept.version
    Snapshot.objects.create(body=body)
    assert source._read().table is None
    assert source._read().table is None
    assert source.unreadable == 1
    again = Snapshot.objects.create(body=BODY)
    table = source._read().table
    assert table is not None
    assert table.version == again.version


def test_revocations_are_told(news: "queue.Queue[News]") -> None:
    revoke("a" * 64)
    revoke("b" * 64, "one")
    seen: set[Revoked] = set()
    while len(seen) < 2:
        seen |= set(news.get(timeout=5).revoked)
    assert seen == {Revoked("a" * 64), Revoked("b" * 64, "one")}


def test_revocation_that_becomes_visible_late_is_told(database: str) -> None:
    """On PostgreSQL a transaction that began earlier may commit later, with a lower id."""
    source = Snapshots(prefix="/gate/")
    Revocation.objects.create(id=7, grant="late")
    assert source._read().revoked == (Revoked("late"),)
    Revocation.objects.create(id=5, grant="early")
    assert Revoked("early") in source._read().revoked


def test_database_that_does_not_answer_is_counted_and_asked_again(
    news: "queue.Queue[News]",
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gateway_snapshot RENAME TO elsewhere")
    while True:  # Nothing more is told.
        try:
            news.get(timeout=0.3)
        except queue.Empty:
            break
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO gateway_snapshot")
    assert news.get(timeout=5)
