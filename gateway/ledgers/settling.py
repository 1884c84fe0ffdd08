"""The arithmetic of one ledger transaction, on rows that it has locked.

Rows are read and locked once, changed in memory, and written as conditional updates at the end: a
row that is not as we computed it undoes the whole transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connections
from django.db.models import Q

from gateway.domain.limits import NO_WINDOW, block, window_end_s, window_number
from gateway.ledgers.port import LEASE_TIME_S, Draw, Drawn, LedgerUnavailable, Return, Verdict
from gateway.models import GrantLedger, Lease, LimiterLedger

RECALL_LIVE_S = 1.0  # So long after a recall somebody may still be waiting for its answers.
KEEP_SQL = "UPDATE gateway_lease SET amount = %s, spent = %s, answered = %s WHERE id = %s"
Key = tuple[str, int, int]
SPEND_SQL = """
UPDATE gateway_limiterledger SET used = used + %s, due = due - %s, recall = %s, recalled_at = %s
WHERE id = %s AND used + %s BETWEEN 0 AND "limit" AND due >= %s
"""


@dataclass(slots=True)
class Row:
    """A locked limiter and what this transaction changes in it."""

    limiter: LimiterLedger
    delta: int = 0
    recalled: bool = False

    @property
    def free(self) -> int:
        return self.limiter.limit - self.limiter.used - self.delta

    @property
    def left(self) -> int:
        return max(0, self.free - self.limiter.due)


class Books:
    """What one node's transaction sees and changes."""

    def __init__(self, node_id: UUID, now_s: float) -> None:
        self._node_id = node_id
        self._now_s = now_s
        self._grants: Mapping[str, GrantLedger] = {}
        self._rows: dict[int, Row] = {}
        self._by_key: dict[Key, Row] = {}
        self._leases: dict[int, Lease] = {}
        self._others: dict[int, list[int]] = {}
        self._made: dict[int, Lease] = {}
        self._changed: dict[int, Lease] = {}
        self.has_news = False

    def lock(
        self,
        draws: Sequence[Draw],
        returns: Sequence[Return],
        grants: Mapping[str, GrantLedger],
    ) -> None:
        self._grants = grants
        slots = [ask.slot for ask in draws] + [ask.slot for ask in returns]
        mine = Lease.objects.filter(node_id=self._node_id, slot__in=slots)
        self._leases = {lease.slot: lease for lease in mine}
        ids = _find_or_make({self._key(draw): draw for draw in draws if draw.grant_id in grants})
        ids.update(lease.limiter_id for lease in self._leases.values())
        locked = LimiterLedger.objects.select_for_update(no_key=True).filter(pk__in=ids)
        for limiter in locked.order_by("pk"):
            row = self._rows[limiter.pk] = Row(limiter)
            self._by_key[limiter.grant_id, limiter.index, limiter.window] = row
        self._look_around({lease.pk for lease in self._leases.values()})

    def _look_around(self, mine: set[int]) -> None:
        """The leases of others, but for those of machines that have been silent for too long."""
        alive = Q(node__heartbeat_at__gt=self._now_s - LEASE_TIME_S)
        leases = Lease.objects.filter(alive, limiter_id__in=self._rows)
        for pk, limiter_id, answered in leases.values_list("pk", "limiter_id", "answered"):
            if pk not in mine:
                self._others.setdefault(limiter_id, []).append(answered)

    def _start_s(self, grant_id: str) -> float:
        grant = self._grants[grant_id]
        return grant.not_before if grant.first_used_at is None else grant.first_used_at

    def _window(self, draw: Draw) -> int:
        return window_number(
            start_s=self._start_s(draw.grant_id),
            window_seconds=draw.limit.window_seconds,
            now_s=self._now_s,
        )

    def _key(self, draw: Draw) -> Key:
        return draw.grant_id, draw.index, self._window(draw)

    def give_back(self, ask: Return) -> None:
        """Nothing to do where the lease is gone: this was heard before."""
        lease = self._leases.get(ask.slot)
        if lease is None:
            return
        rest = lease.amount - ask.keep
        if rest < 0:
            raise LedgerUnavailable(f"slot {ask.slot} kept {ask.keep} of {lease.amount}")
        row = self._rows[lease.limiter_id]
        row.delta -= rest
        lease.amount = lease.spent = ask.keep
        lease.answered = row.limiter.recall
        self._changed[ask.slot] = lease
        if ask.close:
            del self._leases[ask.slot]
        self.has_news |= self._is_live(row)

    def _is_live(self, row: Row) -> bool:
        return row.limiter.recalled_at > self._now_s - RECALL_LIVE_S

    def draw(self, ask: Draw) -> Drawn:
        row = self._by_key.get(self._key(ask)) if ask.grant_id in self._grants else None
        if row is None:
            return Drawn(Verdict.NO_LEDGER, amount=0, left=0, window=0, valid_for_s=0)
        lease = self._leases.get(ask.slot)
        if lease is not None and lease.limiter_id != row.limiter.pk:
            past = self._rows[lease.limiter_id].limiter
            return Drawn(Verdict.WINDOW_OVER, lease.amount, 0, past.window, 0)
        held = 0 if lease is None else lease.amount - ask.spent
        granted = self._grantable(ask, row, held)
        if granted:
            lease = self._grant(ask, row, lease, granted)
        unit = ask.limit.reserved_per_call or 1
        if held + granted >= max(unit, ask.least) or not ask.waiting:
            return self._answer(Verdict.LEASED, ask, row, lease)
        others = self._others.get(row.limiter.pk, [])
        if not others:
            return self._answer(Verdict.EXHAUSTED, ask, row, lease, alone=True)
        if ask.asked and min(others) >= ask.asked:
            return self._answer(Verdict.EXHAUSTED, ask, row, lease)
        return self._answer(
            Verdict.RECALLING, ask, row, lease, asked=ask.asked or self._recall(row)
        )

    def _grantable(self, ask: Draw, row: Row, held: int) -> int:
        amount = held + ask.spent
        if amount > ask.known and held >= ask.waiting:
            return 0  # Our last answer was lost: it brings what this ask is for.
        granted = block(
            row.left,
            waiting=max(0, ask.waiting - held),
            quantum=ask.limit.quantum,
            last_second=0 if self._is_live(row) else ask.last_second,
        )
        return granted if held + granted >= (ask.limit.reserved_per_call or 1) else 0

    def _grant(self, ask: Draw, row: Row, lease: Lease | None, granted: int) -> Lease:
        if lease is None:
            lease = Lease(node_id=self._node_id, limiter_id=row.limiter.pk, slot=ask.slot, amount=0)
            self._leases[ask.slot] = self._made[ask.slot] = lease
        row.delta += granted
        lease.amount += granted
        lease.spent = ask.spent
        # Somebody who recalled before this lease was made waits for its answer too.
        lease.answered = row.limiter.recall - (1 if self._is_live(row) else 0)
        if ask.slot not in self._made:
            self._changed[ask.slot] = lease
        return lease

    def _recall(self, row: Row) -> int:
        row.limiter.recall += 1
        row.limiter.recalled_at = self._now_s
        row.recalled = self.has_news = True
        return row.limiter.recall

    def _answer(
        self,
        verdict: Verdict,
        ask: Draw,
        row: Row,
        lease: Lease | None,
        *,
        asked: int = 0,
        alone: bool = False,
    ) -> Drawn:
        end_s = window_end_s(
            start_s=self._start_s(ask.grant_id),
            window_seconds=ask.limit.window_seconds,
            number=row.limiter.window,
        )
        return Drawn(
            verdict,
            amount=0 if lease is None else lease.amount,
            left=row.left,
            window=row.limiter.window,
            valid_for_s=end_s - self._now_s,
            asked=asked,
            alone=alone,
            recalled=lease is not None and lease.answered < row.limiter.recall and not asked,
        )

    def write(self) -> None:
        rows = [row for _, row in sorted(self._rows.items())]
        changes = [(row, min(row.limiter.due, row.free)) for row in rows]
        spend(
            (row.limiter, row.delta + due, due)
            for row, due in changes
            if row.delta or due or row.recalled
        )
        Lease.objects.bulk_create(self._made.values())
        kept = [lease for slot, lease in self._changed.items() if slot in self._leases]
        _keep(kept)
        closed = [lease.pk for slot, lease in self._changed.items() if slot not in self._leases]
        if closed:
            Lease.objects.filter(pk__in=closed).delete()


def spend(changes: Iterable[tuple[LimiterLedger, int, int]]) -> None:
    """Each with what to add to `used`, and what of that was due.

    `used <= limit` and `used >= 0` are asked of the row itself, once more.
    """
    parameters = [
        (delta, due, limiter.recall, limiter.recalled_at, limiter.pk, delta, due)
        for limiter, delta, due in changes
    ]
    if not parameters:
        return
    with connections["default"].cursor() as cursor:
        cursor.executemany(SPEND_SQL, parameters)
        if cursor.rowcount != len(parameters):
            raise LedgerUnavailable("a limiter row is not what was locked")


def _keep(leases: Iterable[Lease]) -> None:
    """Row by row: Django's bulk_update takes ten times as long to say the same."""
    parameters = [(lease.amount, lease.spent, lease.answered, lease.pk) for lease in leases]
    if parameters:
        with connections["default"].cursor() as cursor:
            cursor.executemany(KEEP_SQL, parameters)


def _find_or_make(draws: Mapping[Key, Draw]) -> set[int]:
    """The limiters of these windows: the first is made with the grant, the others here."""
    found = _find(draws)
    missing = sorted(key for key in draws.keys() - found.keys() if key[2] > NO_WINDOW)
    if missing:
        LimiterLedger.objects.bulk_create(
            (
                LimiterLedger(
                    grant_id=grant_id,
                    index=index,
                    window=window,
                    kind=draws[grant_id, index, window].limit.kind,
                    limit=draws[grant_id, index, window].limit.total,
                )
                for grant_id, index, window in missing
            ),
            ignore_conflicts=True,
        )
        found = _find(draws)
    return set(found.values())


def _find(keys: Iterable[Key]) -> dict[Key, int]:
    keys = set(keys)
    rows = LimiterLedger.objects.filter(
        grant_id__in={grant_id for grant_id, _, _ in keys},
        window__in={window for _, _, window in keys},
    ).values_list("grant_id", "index", "window", "pk")
    return {
        (grant_id, index, window): pk
        for grant_id, index, window, pk in rows
        if (grant_id, index, window) in keys
    }
