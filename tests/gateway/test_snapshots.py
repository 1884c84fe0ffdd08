import queue
from collections.abc import Iterator

import pytest
from django.db import connection

from gateway.ledgers.revoking import revoke
from gateway.models import Revocation, Snapshot, SnapshotPart
from gateway.routing import News, Revoked
from gateway.snapshots import Snapshots
from tests.gateway.domain.test_routes import service
from tests.publications import NOTHING, publish


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


def test_newest_version_is_told_once(news: "queue.Queue[News]") -> None:
    first = publish(NOTHING)
    assert next_table(news) == first
    publish(NOTHING)
    newest = publish(NOTHING)
    while next_table(news) < newest:
        pass
    assert all(news.get(timeout=5).table is None for _ in range(3))


def changed(service: int, body: object) -> int:
    version = Snapshot.objects.create(body={}).version
    row = {"version": version, "body": body}
    SnapshotPart.objects.update_or_create(service=service, defaults=row)
    return version


@pytest.mark.parametrize("body", [{}, {"slug": 1}, [], {"slug": "a", "upstreams": []}])
def test_part_that_does_not_compile_is_counted_and_the_former_stays(
    database: str, body: object
) -> None:
    source = Snapshots(prefix="/gate/")
    publish({**NOTHING, "services": [service("one"), service("two")]})
    assert source.read().table is not None
    broken = changed(1, body)
    table = source.read().table
    assert table is not None
    assert (table.version, [*table.services], source.unreadable) == (broken, ["one", "two"], 1)
    changed(2, service("three"))
    table = source.read().table
    assert table is not None
    assert [*table.services] == ["one", "three"]
    assert source.read().table is None
    assert source.unreadable == 1
    changed(1, service("again"))
    changed(2, None)
    table = source.read().table
    assert table is not None
    assert [*table.services] == ["again"]


def test_keys_that_cannot_be_read_leave_the_former_and_there_is_no_table_without_any(
    database: str,
) -> None:
    source = Snapshots(prefix="/gate/")
    changed(1, service("one"))
    changed(SnapshotPart.SHARED, {"issuer": "https://g", "keys": {"k": "not hex"}})
    assert source.read().table is None
    assert source.unreadable == 1
    changed(SnapshotPart.SHARED, {"issuer": "https://g", "keys": {"k": "00ff"}})
    table = source.read().table
    assert table is not None
    assert (table.keys, [*table.services]) == ({"k": b"\x00\xff"}, ["one"])
    changed(SnapshotPart.SHARED, {"issuer": 1})
    table = source.read().table
    assert table is not None
    assert table.issuer == "https://g"


def test_a_node_that_starts_reads_everything(database: str) -> None:
    publish({**NOTHING, "services": [service("one"), service("two"), service("three")]})
    changed(2, None)
    newest = changed(3, service("four"))
    table = Snapshots(prefix="/gate/").read().table
    assert table is not None
    assert (table.version, [*table.services]) == (newest, ["one", "four"])


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
    assert source.read().revoked == (Revoked("late"),)
    Revocation.objects.create(id=5, grant="early")
    assert Revoked("early") in source.read().revoked


def test_database_that_does_not_answer_is_counted_and_asked_again(
    news: "queue.Queue[News]",
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gateway_snapshotpart RENAME TO elsewhere")
    while True:  # Nothing more is told.
        try:
            news.get(timeout=0.3)
        except queue.Empty:
            break
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO gateway_snapshotpart")
    assert news.get(timeout=5)
