"""The arithmetic of one ledger transaction, on rows that it has locked.

Rows are read and locked once, changed in memory, and written as conditional updates at the end: a
row that is not as we computed it undoes the whole transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from gateway.domain.limits import NO_WINDOW, block, window_end_s, window_number
from gateway.ledgers.port import LEASE_TIME_S, Draw, Drawn, LedgerUnavailable, Return, Verdict
from gateway.ledgers.rows import Grant, Key, LeaseRow, LimiterRow, Rows
from gateway.models import LimiterLedger

NO_LEASE = 0  # A row of its own it gets when it is written.
RECALL_LIVE_S = 1.0  # So long after a recall somebody may still be waiting for its answers.


@dataclass(slots=True)
class Row:
    """A locked limiter and what this transaction changes in it."""

    limiter: LimiterRow
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

    def __init__(self, rows: Rows, node_id: UUID, now_s: float) -> None:
        self._stored = rows
        self._node_id = node_id
        self._now_s = now_s
        self._grants: Mapping[str, Grant] = {}
        self._rows: dict[int, Row] = {}
        self._by_key: dict[Key, Row] = {}
        self._leases: dict[int, LeaseRow] = {}
        self._others: dict[int, list[int]] = {}
        self._made: dict[int, LeaseRow] = {}
        self._changed: dict[int, LeaseRow] = {}
        self.has_news = False

    def lock(
        self, draws: Sequence[Draw], returns: Sequence[Return], grants: Mapping[str, Grant]
    ) -> None:
        self._grants = grants
        slots = [ask.slot for ask in draws] + [ask.slot for ask in returns]
        self._leases = {each.slot: each for each in self._stored.leases_of(self._node_id, slots)}
        ids = self._find_or_make(draws)
        ids.update(lease.limiter_id for lease in self._leases.values())
        for limiter in self._stored.lock(ids):
            row = self._rows[limiter.pk] = Row(limiter)
            self._by_key[limiter.grant_id, limiter.index, limiter.window] = row
        self._look_around({lease.pk for lease in self._leases.values()})

    def _find_or_make(self, draws: Sequence[Draw]) -> set[int]:
        """The limiters that are drawn from beside those that the node has leases of.

        A window's first is made with the grant, the others here.
        """
        wanted = {
            self._key(draw): draw
            for draw in draws
            if draw.grant_id in self._grants and not self._is_leased(draw)
        }
        found = self._stored.find(wanted)
        missing = sorted(key for key in wanted.keys() - found.keys() if key[2] > NO_WINDOW)
        if missing:
            _make(missing, wanted)
            found = self._stored.find(wanted)
        return set(found.values())

    def _is_leased(self, draw: Draw) -> bool:
        return draw.slot in self._leases and draw.window == self._window(draw)

    def _look_around(self, mine: set[int]) -> None:
        """The leases of others, but for those of machines that have been silent for too long."""
        alive_since_s = self._now_s - LEASE_TIME_S
        for pk, limiter_id, answered in self._stored.answers(self._rows, alive_since_s):
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

    def _grant(self, ask: Draw, row: Row, lease: LeaseRow | None, granted: int) -> LeaseRow:
        if lease is None:
            lease = LeaseRow((NO_LEASE, row.limiter.pk, ask.slot, 0, 0))
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
        lease: LeaseRow | None,
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
            self._stored,
            (
                (row.limiter, row.delta + due, due)
                for row, due in changes
                if row.delta or due or row.recalled
            ),
        )
        self._stored.make(self._node_id, self._made.values())
        self._stored.keep(lease for slot, lease in self._changed.items() if slot in self._leases)
        self._stored.drop(
            [lease.pk for slot, lease in self._changed.items() if slot not in self._leases]
        )


class Limiter(Protocol):
    pk: int
    recall: int
    recalled_at: float


def spend(rows: Rows, changes: Iterable[tuple[Limiter, int, int]]) -> None:
    """Each with what to add to `used`, and what of that was due.

    `used <= limit` and `used >= 0` are asked of the row itself, once more.
    """
    parameters = [
        (delta, due, limiter.recall, limiter.recalled_at, limiter.pk, delta, due)
        for limiter, delta, due in changes
    ]
    if rows.spend(parameters) != len(parameters):
        raise LedgerUnavailable("a limiter row is not what was locked")


def _make(keys: Iterable[Key], draws: Mapping[Key, Draw]) -> None:
    LimiterLedger.objects.bulk_create(
        (
            LimiterLedger(
                grant_id=grant_id,
                index=index,
                window=window,
                kind=draws[grant_id, index, window].limit.kind,
                limit=draws[grant_id, index, window].limit.total,
            )
            for grant_id, index, window in keys
        ),
        ignore_conflicts=True,
    )
