"""Reads configuration, revocations and what upstreams booked, in a thread with its own connection.

Only the parts that changed since the last reading are read and compiled, in one statement, which
sees each publication as a whole or not at all. A part that does not compile is counted and reported
once; what was there before it stays in force, and the other parts are taken over.
Revocations are read again for a while: on PostgreSQL a lower id can become visible after a higher.
"""

import logging
import threading
import time
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, connection

from gateway.domain.routes import RouteTable
from gateway.domain.tables import Assembly, Part
from gateway.ledgers import booking
from gateway.ledgers.connecting import Changes
from gateway.models import Revocation, SnapshotPart
from gateway.routing import News, Revoked

POLL_SECONDS = 0.25
OVERLAP_SECONDS = 60.0
"""Longer than any transaction that revokes takes to commit."""
NO_NEWS = News(None)

logger = logging.getLogger(__name__)


class Snapshots:
    def __init__(self, *, prefix: str, poll_seconds: float = POLL_SECONDS) -> None:
        self.unreadable = self.failures = 0
        self._assembly = Assembly(prefix)
        self._poll_seconds = poll_seconds
        self._marks: list[tuple[float, int]] = [(0.0, 0)]
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, tell: Callable[[News], None]) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(tell,), name="snapshots", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, tell: Callable[[News], None]) -> None:
        changes, news = Changes(), NO_NEWS
        try:
            while not self._closing.is_set():
                try:
                    changed = changes.look(connection)
                    # Whoever has run out is told of until that is over.
                    news = self.read() if changed or news.run_out else NO_NEWS
                    tell(news)
                except (DatabaseError, InterfaceError):
                    self.failures += 1
                    changes = Changes()
                    logger.warning("The snapshot cannot be read now.", exc_info=True)
                    connection.close()
                self._closing.wait(self._poll_seconds)
        finally:
            connection.close()

    def read(self) -> News:
        revoked = self._revocations(time.monotonic())
        return News(
            table=self._newer_table(), revoked=revoked, run_out=booking.run_out(time.time())
        )

    def _newer_table(self) -> RouteTable | None:
        before = self._assembly.table
        newer = SnapshotPart.objects.filter(version__gt=before.version)
        rows = newer.values_list("service", "version", "body")
        # All at the start: bodies are compiled as they come, never held together.
        parts = rows if before.version else rows.iterator()
        for wrong in self._assembly.take(Part(*row) for row in parts):
            self.unreadable += 1
            logger.error("A part does not compile; the former stays: %s", wrong)
        table = self._assembly.table
        return table if table is not before and self._assembly.is_usable else None

    def _revocations(self, now: float) -> tuple[Revoked, ...]:
        while len(self._marks) > 1 and now - self._marks[1][0] >= OVERLAP_SECONDS:
            del self._marks[0]
        rows = list(
            Revocation.objects.filter(id__gt=self._marks[0][1])
            .order_by("id")
            .values_list("id", "grant", "token")
        )
        if rows and rows[-1][0] > self._marks[-1][1]:
            self._marks.append((now, rows[-1][0]))
        return tuple(Revoked(grant, token) for _, grant, token in rows)
