"""The durable ledger: rows of the database, the same on SQLite and PostgreSQL.

Locks are taken in one order everywhere: the node's row, grants, limiters by primary key. Whoever
holds a limiter's lock may read and change its leases. SQLite has one writer at a time, so there the
transaction itself (BEGIN IMMEDIATE) is the lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from uuid import UUID

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.ledgers.connecting import database_clock, own_connection, translated
from gateway.ledgers.port import (
    Ask,
    Draw,
    End,
    Follower,
    LedgerUnavailable,
    News,
    Node,
    NodeLost,
    Open,
    Opened,
    Return,
    Settled,
)
from gateway.ledgers.recalls import follow, tell
from gateway.ledgers.recovering import recover
from gateway.ledgers.rows import Grant, Rows
from gateway.ledgers.settling import Books
from gateway.models import GatewayNode, Lease

HEARTBEAT_AFTER_S = 1.0  # Once a second is enough, however many transactions there are.


class DatabaseLedger:
    """Every method but `follow` is called from the same thread, whose connection it is."""

    @cached_property
    def _connection(self) -> BaseDatabaseWrapper:
        return own_connection()

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._connection)

    def register(self, node: Node) -> None:
        with translated(self._connection):
            now_s = database_clock(self._connection)
            GatewayNode.objects.create(
                id=node.id,
                boot_id=node.boot_id,
                host=node.host,
                journal=str(node.journal),
                started_at=now_s,
                heartbeat_at=now_s,
            )

    def transact(self, node_id: UUID, asks: Sequence[Ask]) -> Settled:
        draws = [ask for ask in asks if isinstance(ask, Draw)]
        returns = [ask for ask in asks if isinstance(ask, Return)]
        ends = [ask for ask in asks if isinstance(ask, End)]
        opens = {ask.grant_id for ask in asks if isinstance(ask, Open)}
        with translated(self._connection), transaction.atomic():
            now_s = database_clock(self._connection)
            heartbeat_age_s = self._beat(node_id, now_s)
            self._rows.first_used(opens, now_s)
            self._rows.ended(ends)
            grants = self._rows.grants({*opens, *(draw.grant_id for draw in draws)})
            books = Books(self._rows, node_id, now_s)
            if draws or returns:
                books.lock(draws, returns, grants)
            for ask in returns:
                books.give_back(ask)
            drawn = {draw.slot: books.draw(draw) for draw in draws}
            books.write()
            if books.has_news:
                tell(self._connection)
        return Settled(_opened(opens, grants), drawn, heartbeat_age_s)

    def _beat(self, node_id: UUID, now_s: float) -> float:
        beat_at_s = self._rows.beat_of(node_id)
        if beat_at_s is None:
            raise NodeLost(node_id)
        age_s = max(0.0, now_s - beat_at_s)
        if age_s < HEARTBEAT_AFTER_S:
            return age_s
        self._rows.beat(node_id, now_s)
        return 0.0

    def leave(self, node_id: UUID, returns: Sequence[Return]) -> None:
        """Settle everything; the node is no more."""
        with translated(self._connection), transaction.atomic():
            now_s = database_clock(self._connection)
            self._beat(node_id, now_s)
            books = Books(self._rows, node_id, now_s)
            books.lock([], returns, {})
            for ask in returns:
                books.give_back(ask)
            books.write()
            if Lease.objects.filter(node_id=node_id).exists():
                raise LedgerUnavailable("a lease that nobody here knows of")
            GatewayNode.objects.filter(pk=node_id).delete()
            tell(self._connection)

    def recover(self, node: Node) -> int:
        with translated(self._connection):
            units = recover(node)
            if units:
                tell(self._connection)
            return units

    def follow(self, node_id: UUID, news: News) -> Follower:
        return follow(node_id, news)

    def close(self) -> None:
        self._connection.close()


def _opened(grant_ids: Iterable[str], grants: Mapping[str, Grant]) -> dict[str, Opened | None]:
    return {
        grant_id: Opened(grants[grant_id].first_used_at) if grant_id in grants else None
        for grant_id in grant_ids
    }
