"""The log only grows, one entry at a time, and whoever touches it is found."""

import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from billing import auditing
from billing.domain import audit
from billing.domain.audit import Broken, Intact
from billing.models import AuditEntry, AuditHead

NOW_S = 1_800_000_000.0


def write(count: int) -> None:
    for number in range(count):
        with transaction.atomic():
            auditing.record(
                action="test.write", subject="x", now_s=NOW_S + number, detail={"n": number}
            )


def without_triggers(statement: str, *values: Any) -> None:
    """What somebody who owns the database can do."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP TRIGGER "{name}"')
        else:
            cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, values)


def test_empty_log_is_intact(database: str) -> None:
    assert auditing.verify() == Intact(0, "00" * 32)


def test_written_log_is_intact(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(5)
    assert auditing.verify() == Intact(5, AuditEntry.objects.get(number=5).hash)
    call_command("verify_audit")
    assert "Intact: 5 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_auditentry SET actor = 'mallory' WHERE number = 2",
        "DELETE FROM billing_auditentry WHERE number = 2",
        "UPDATE billing_audithead SET number = 1",
    ],
)
def test_database_refuses_to_change_the_log(database: str, statement: str) -> None:
    write(3)
    with pytest.raises((IntegrityError, DatabaseError)), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(auditing.verify(), Intact)


def test_orm_cannot_change_the_log_either(database: str) -> None:
    write(3)
    with pytest.raises((IntegrityError, DatabaseError)):
        AuditEntry.objects.filter(number=2).update(actor="mallory")
    with pytest.raises((IntegrityError, DatabaseError)):
        AuditEntry.objects.all().delete()
    assert isinstance(auditing.verify(), Intact)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE billing_auditentry SET actor = 'mallory' WHERE number = 2", 2),
        ("UPDATE billing_auditentry SET detail = '{\"n\": 7}' WHERE number = 4", 4),
        ("DELETE FROM billing_auditentry WHERE number = 1", 1),
        ("DELETE FROM billing_auditentry WHERE number = 3", 3),
        ("DELETE FROM billing_auditentry WHERE number = 5", 6 - 1),
        ("UPDATE billing_auditentry SET number = 9 WHERE number = 5", 5),
    ],
)
def test_whoever_gets_past_the_triggers_is_found(
    database: str, statement: str, number: int
) -> None:
    write(5)
    without_triggers(statement)
    verdict = auditing.verify()
    assert isinstance(verdict, Broken)
    assert verdict.number == number
    with pytest.raises(CommandError, match=f"Broken at entry {number}"):
        call_command("verify_audit")


MANY = 10_000


def write_many() -> None:
    """As `record` does it, without ten thousand commits."""
    rows, previous = [], audit.GENESIS
    for number in range(1, MANY + 1):
        entry = audit.Entry(number, 1_000 * number, "worker", "test.write", "x", {"n": number})
        hash_ = audit.link_hash(entry, previous)
        values = {name: getattr(entry, name) for name in entry.__slots__}
        rows.append(AuditEntry(**values, previous=previous, hash=hash_))
        previous = hash_
    AuditEntry.objects.bulk_create(rows)
    AuditHead.objects.update_or_create(pk=1, defaults={"number": MANY, "hash": previous})


SWAP = """UPDATE billing_auditentry SET
    actor = (SELECT o.actor FROM billing_auditentry o WHERE o.number = 11001 - {t}.number),
    detail = (SELECT o.detail FROM billing_auditentry o WHERE o.number = 11001 - {t}.number)
    WHERE number IN (4000, 7001)"""


TAMPERED = [
    ("UPDATE billing_auditentry SET at_ms = at_ms + 1 WHERE number = 9999", 9_999),
    ("DELETE FROM billing_auditentry WHERE number = 5000", 5_000),
    ("DELETE FROM billing_auditentry WHERE number = 10000", 10_000),
    (SWAP.format(t="billing_auditentry"), 4_000),
]


def test_one_row_of_ten_thousand_is_found(database: str) -> None:
    write_many()
    intact = Intact(MANY, AuditHead.objects.get().hash)
    assert auditing.verify() == intact
    for statement, number in TAMPERED:
        with transaction.atomic():
            without_triggers(statement)
            verdict = auditing.verify()
            transaction.set_rollback(True)
        assert isinstance(verdict, Broken)
        assert verdict.number == number
    assert auditing.verify() == intact


def test_entry_is_written_with_its_change_or_not_at_all(database: str) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        auditing.record(action="a", subject="x", now_s=NOW_S, detail={})
    with transaction.atomic():
        auditing.record(action="a", subject="x", now_s=NOW_S, detail={})
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_many_writers_at_once_make_one_chain(database: str) -> None:
    def run() -> None:
        try:
            write(5)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert auditing.verify() == Intact(30, AuditHead.objects.get().hash)
