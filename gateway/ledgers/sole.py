"""Which of the processes that share a database counts the rates, where there is no Redis.

On PostgreSQL an advisory lock of a session of its own; on SQLite, whose processes are all on one
machine, a lock on a file beside the database. Either is free again the moment its holder dies.
"""

import fcntl
import os
from pathlib import Path

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.ledgers.connecting import ALIAS, own_connection, translated
from gateway.ledgers.port import LedgerUnavailable
from gateway.ledgers.rates import Lock

ADVISORY_KEY = 0x41504952  # "APIR"


class FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def hold(self) -> bool:
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class AdvisoryLock:
    """Asked for anew each time: a session takes it any number of times, and a new one but once."""

    def __init__(self) -> None:
        self._connection: BaseDatabaseWrapper | None = None

    def hold(self) -> bool:
        if self._connection is None:
            self._connection = own_connection()
        try:
            with translated(self._connection), self._connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_KEY])
                return bool(cursor.fetchone()[0])
        except LedgerUnavailable:
            return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def lock() -> Lock:
    given = connections.settings[ALIAS]
    if "postgresql" in given["ENGINE"]:
        return AdvisoryLock()
    return FileLock(Path(f"{given['NAME']}.rates"))
