"""A database connection of the calling thread's own, outside the pool.

The ledger's threads keep theirs for as long as they live, and must not wait for locks as long as
a page may: limits of seconds are set on the connection itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from gateway.ledgers.port import LOCK_WAIT_S, LedgerUnavailable

STATEMENT_S = 5
IDLE_IN_TRANSACTION_S = 10
CONNECT_S = 2
ALIAS = "default"


def own_connection() -> BaseDatabaseWrapper:
    """Becomes this thread's default, so that the ORM uses it."""
    given: dict[str, Any] = connections.settings[ALIAS]
    options = {name: value for name, value in given["OPTIONS"].items() if name != "pool"}
    if "postgresql" in given["ENGINE"]:
        options |= {
            "connect_timeout": CONNECT_S,
            "tcp_user_timeout": STATEMENT_S * 1000,
            "options": f"-c lock_timeout={LOCK_WAIT_S}s -c statement_timeout={STATEMENT_S}s"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S}s",
        }
    else:
        options["timeout"] = LOCK_WAIT_S
    backend = load_backend(given["ENGINE"])
    connection: BaseDatabaseWrapper = backend.DatabaseWrapper({**given, "OPTIONS": options}, ALIAS)
    connections[ALIAS].close()
    connections[ALIAS] = connection
    return connection


class Changes:
    """Whether anybody else wrote to the database since the last look.

    SQLite tells it for a hundredth of what a query through the ORM costs. Elsewhere it is not known
    without asking for what may have changed.
    """

    def __init__(self) -> None:
        self._seen: tuple[object, int] | None = None

    def look(self, connection: BaseDatabaseWrapper) -> bool:
        if connection.vendor != "sqlite":
            return True
        connection.ensure_connection()
        told = connection.connection
        seen = told, told.execute("PRAGMA data_version").fetchone()[0]
        before, self._seen = self._seen, seen
        return before is None or before[0] is not told or before != seen


@contextmanager
def translated(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Any database error: the ledger could not say. The next call connects anew."""
    try:
        yield
    except Error as exc:
        connection.close()
        raise LedgerUnavailable(str(exc)) from exc


def database_clock(connection: BaseDatabaseWrapper) -> float:
    """Unix seconds as the database sees them; every node's windows follow this one clock."""
    if connection.vendor == "postgresql":
        question = "SELECT extract(epoch FROM clock_timestamp())::float8"
    else:
        question = "SELECT (julianday('now') - 2440587.5) * 86400.0"
    with connection.cursor() as cursor:
        cursor.execute(question)
        return float(cursor.fetchone()[0])
