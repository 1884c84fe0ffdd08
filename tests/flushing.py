"""Lets Django's flush between transactional tests empty tables whose triggers refuse deletion.

On PostgreSQL the flush is TRUNCATE, which row triggers do not see. On SQLite it is DELETE: the
triggers are dropped before it and created again after it, in the flush's own transaction. Full-text
indexes, which those triggers keep, are made anew from what is left.
"""

from collections.abc import Sequence

from django.core.management.color import Style
from django.db.backends.sqlite3.base import DatabaseOperations

_sql_flush = DatabaseOperations.sql_flush


def flush_around_triggers(
    operations: DatabaseOperations, style: Style, tables: Sequence[str], **options: bool
) -> list[str]:
    with operations.connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        cursor.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'")
        indexes = [name for (name,) in cursor.fetchall()]
    drop = [f'DROP TRIGGER "{name}"' for name, _ in triggers]
    anew = [f'INSERT INTO "{name}"("{name}") VALUES (\'rebuild\')' for name in indexes]
    flush = _sql_flush(operations, style, tables, **options)
    return [*drop, *flush, *(sql for _, sql in triggers), *anew]


def install() -> None:
    DatabaseOperations.sql_flush = flush_around_triggers  # type: ignore[method-assign]
