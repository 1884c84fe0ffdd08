"""How a node hears that others want what it holds, and that what it waits for may have come.

PostgreSQL: NOTIFY in the transaction, LISTEN on a connection of its own. SQLite: the recall is a
number in the limiter's row, and `PRAGMA data_version` tells cheaply that somebody wrote something.
"""

import threading
import time
from uuid import UUID

import psycopg
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.ledgers.connecting import Changes, own_connection
from gateway.ledgers.port import Follower, News
from gateway.ledgers.rows import Rows

CHANNEL = "apicharge_ledger"
POLL_S = 0.05
BUSY_POLL_S = 0.02
BUSY_S = 2.0
"""So long after a recall the next one is to be expected."""
STOP_CHECK_S = 0.25
RECONNECT_S = 0.5


def tell(connection: BaseDatabaseWrapper) -> None:
    """In the transaction: the others hear it once it is committed."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


def follow(node_id: UUID, news: News) -> Follower:
    follower = _Following(node_id, news)
    follower.start()
    return follower


class _Following(threading.Thread):
    def __init__(self, node_id: UUID, news: News) -> None:
        super().__init__(name="ledger-recalls", daemon=True)
        self._node_id = node_id
        self._news = news
        self._attending = threading.Event()
        self._stopping = threading.Event()

    def attend(self, active: bool) -> None:
        """A node that neither holds nor waits need not look."""
        if active:
            self._attending.set()
        else:
            self._attending.clear()

    def close(self) -> None:
        self._stopping.set()
        self._attending.set()
        self.join()

    def run(self) -> None:
        connection = own_connection()
        look = self._listen if connection.vendor == "postgresql" else self._poll
        while not self._stopping.is_set():
            try:
                look(connection)
            except (Error, psycopg.Error):
                self._stopping.wait(RECONNECT_S)
            connection.close()

    def _listen(self, connection: BaseDatabaseWrapper) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._tell(connection)
        while not self._stopping.is_set():
            if list(connection.connection.notifies(timeout=STOP_CHECK_S, stop_after=1)):
                self._tell(connection)

    def _poll(self, connection: BaseDatabaseWrapper) -> None:
        changes, busy_until = Changes(), 0.0
        while not self._stopping.is_set():
            if not self._attending.is_set():
                self._attending.wait()
                changes = Changes()
            if changes.look(connection) and self._tell(connection):
                busy_until = time.monotonic() + BUSY_S
            self._stopping.wait(BUSY_POLL_S if time.monotonic() < busy_until else POLL_S)

    def _tell(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether something of ours is wanted."""
        recalled = Rows(connection).recalled(self._node_id)
        self._news(recalled)
        return bool(recalled)
