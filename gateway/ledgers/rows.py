"""The statements of a ledger transaction, the same on SQLite and PostgreSQL, and rows as they are.

Written out: these few run again and again beside the requests, and to build them through the ORM
took several times as long as to execute them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.ledgers.port import End

Value = int | float | str | UUID
Key = tuple[str, int, int]
"""A limiter's grant, index and window."""
LOCKED = {"postgresql": " FOR NO KEY UPDATE", "sqlite": ""}
LIMITER = 'id, grant_id, "index", "window", "limit", used, due, recall, recalled_at'
LEASE = "id, limiter_id, slot, amount, answered"
SPEND = """
UPDATE gateway_limiterledger SET used = used + %s, due = due - %s, recall = %s, recalled_at = %s
WHERE id = %s AND used + %s BETWEEN 0 AND "limit" AND due >= %s
"""
KEEP = "UPDATE gateway_lease SET amount = %s, spent = %s, answered = %s WHERE id = %s"
MAKE = """
INSERT INTO gateway_lease (node_id, limiter_id, slot, amount, spent, answered)
VALUES (%s, %s, %s, %s, %s, %s)
"""
FIRST_USE = """
UPDATE gateway_grantledger SET first_used_at = %s
WHERE grant_id = %s AND starts_first_use AND first_used_at IS NULL
"""
LAST_END = """
UPDATE gateway_grantledger SET last_end_reason = %s, last_end_at = %s WHERE grant_id = %s
"""


class Grant(NamedTuple):
    not_before: float
    first_used_at: float | None


class LimiterRow:
    __slots__ = (
        "due",
        "grant_id",
        "index",
        "limit",
        "pk",
        "recall",
        "recalled_at",
        "used",
        "window",
    )

    def __init__(self, row: tuple[int, str, int, int, int, int, int, int, float]) -> None:
        (
            self.pk,
            self.grant_id,
            self.index,
            self.window,
            self.limit,
            self.used,
            self.due,
            self.recall,
            self.recalled_at,
        ) = row


class LeaseRow:
    __slots__ = ("amount", "answered", "limiter_id", "pk", "slot", "spent")

    def __init__(self, row: tuple[int, int, int, int, int]) -> None:
        """`spent` is written whenever a lease is, and never read."""
        self.pk, self.limiter_id, self.slot, self.amount, self.answered = row
        self.spent = 0


class Rows:
    """One thread's; every method in a transaction."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._locked = LOCKED[connection.vendor]

    def beat_of(self, node_id: UUID) -> float | None:
        """When the node was last heard; its row is locked. None: it has none."""
        found = self._all(
            f"SELECT heartbeat_at FROM gateway_gatewaynode WHERE id = %s{self._locked}",  # noqa: S608
            [self._node(node_id)],
        )
        return found[0][0] if found else None

    def beat(self, node_id: UUID, now_s: float) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE gateway_gatewaynode SET heartbeat_at = %s WHERE id = %s",
                [now_s, self._node(node_id)],
            )

    def first_used(self, grant_ids: Iterable[str], now_s: float) -> None:
        self._each(FIRST_USE, [(now_s, grant_id) for grant_id in sorted(grant_ids)])

    def ended(self, ends: Iterable[End]) -> None:
        ordered = sorted(ends, key=lambda end: end.grant_id)
        self._each(LAST_END, [(end.reason, end.at_s, end.grant_id) for end in ordered])

    def grants(self, grant_ids: Collection[str]) -> dict[str, Grant]:
        found = self._in(
            "SELECT grant_id, not_before, first_used_at FROM gateway_grantledger"
            " WHERE grant_id IN ({})",
            grant_ids,
        )
        return {grant_id: Grant(not_before, first) for grant_id, not_before, first in found}

    def leases_of(self, node_id: UUID, slots: Collection[int]) -> list[LeaseRow]:
        question = f"SELECT {LEASE} FROM gateway_lease WHERE node_id = %s AND slot IN ({{}})"  # noqa: S608
        return [LeaseRow(row) for row in self._in(question, slots, [self._node(node_id)])]

    def find(self, keys: Collection[Key]) -> dict[Key, int]:
        """The limiters of these windows that there are."""
        grants, windows = {key[0] for key in keys}, {key[2] for key in keys}
        found = self._in(
            'SELECT grant_id, "index", "window", id FROM gateway_limiterledger'  # noqa: S608
            f' WHERE "window" IN ({_marks(windows)}) AND grant_id IN ({{}})',
            grants,
            list(windows),
        )
        each = {(grant_id, index, window): pk for grant_id, index, window, pk in found}
        return {key: each[key] for key in keys if key in each}

    def lock(self, limiters: Collection[int]) -> list[LimiterRow]:
        """In the order in which everybody locks them."""
        question = f"SELECT {LIMITER} FROM gateway_limiterledger WHERE id IN ({{}}) ORDER BY id"  # noqa: S608
        return [LimiterRow(row) for row in self._in(question + self._locked, limiters)]

    def answers(
        self, limiters: Collection[int], alive_since_s: float
    ) -> list[tuple[int, int, int]]:
        """Leases of nodes that were heard since then: id, limiter, the last recall answered."""
        return self._in(
            "SELECT lease.id, limiter_id, answered FROM gateway_lease lease"
            " JOIN gateway_gatewaynode node ON node.id = node_id"
            " WHERE heartbeat_at > %s AND limiter_id IN ({})",
            limiters,
            [alive_since_s],
        )

    def spend(self, parameters: Sequence[tuple[Value, ...]]) -> int:
        """How many rows were what they were thought to be."""
        return self._each(SPEND, parameters)

    def keep(self, leases: Iterable[LeaseRow]) -> None:
        self._each(KEEP, [(each.amount, each.spent, each.answered, each.pk) for each in leases])

    def make(self, node_id: UUID, leases: Iterable[LeaseRow]) -> None:
        node = self._node(node_id)
        rows = [
            (node, each.limiter_id, each.slot, each.amount, each.spent, each.answered)
            for each in leases
        ]
        self._each(MAKE, rows)

    def drop(self, ids: Sequence[int]) -> None:
        self._each("DELETE FROM gateway_lease WHERE id = %s", [(pk,) for pk in ids])

    def recalled(self, node_id: UUID) -> list[int]:
        """The node's slots that are wanted elsewhere."""
        found = self._all(
            "SELECT slot FROM gateway_lease lease"
            " JOIN gateway_limiterledger limiter ON limiter.id = limiter_id"
            " WHERE node_id = %s AND answered < recall",
            [self._node(node_id)],
        )
        return [slot for (slot,) in found]

    def _node(self, node_id: UUID) -> Value:
        native = self._connection.features.has_native_uuid_field
        return node_id if native else node_id.hex

    def _in(
        self, question: str, among: Collection[Value], before: Sequence[Value] = ()
    ) -> list[Any]:
        if not among:
            return []
        return self._all(question.format(_marks(among)), [*before, *among])

    def _all(self, question: str, parameters: Sequence[Value] = ()) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(question, parameters)
            found: list[Any] = cursor.fetchall()
            return found

    def _each(self, statement: str, parameters: Sequence[tuple[Value, ...]]) -> int:
        if not parameters:
            return 0
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, parameters)
            return int(cursor.rowcount)


def _marks(among: Collection[Value]) -> str:
    return ", ".join(["%s"] * len(among))
