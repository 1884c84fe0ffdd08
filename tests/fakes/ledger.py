"""The durable ledger in memory: one node, the port's rules, faults at the flick of a switch."""

import time
from collections.abc import Sequence
from uuid import UUID

from gateway.domain.limits import block, window_end_s, window_number
from gateway.domain.tokens import Grant, Starts
from gateway.ledgers.port import (
    Ask,
    Draw,
    Drawn,
    End,
    LedgerUnavailable,
    News,
    Node,
    Open,
    Opened,
    Return,
    Settled,
    Verdict,
)

Key = tuple[str, int, int]


class Silence:
    def attend(self, active: bool) -> None:
        pass

    def close(self) -> None:
        pass


class MemoryBookings:
    """By key, as the ledger keeps them; `asked` counts the asking."""

    def __init__(self) -> None:
        self.booked: dict[str, tuple[str, int, bool]] = {}
        self.clamped: dict[str, int] = {}
        self.asked = 0
        self.lost_answers = 0

    def adjust(self, grant_id: str, key: str, credits: int, *, may_take: bool) -> bool:  # noqa: A002
        self.asked += 1
        self.booked.setdefault(key, (grant_id, credits, may_take))
        if self.lost_answers:
            self.lost_answers -= 1
            raise LedgerUnavailable("the answer was lost")
        return True

    def note_clamped(self, grant_id: str, calls: int) -> None:
        self.clamped[grant_id] = self.clamped.get(grant_id, 0) + calls

    def close(self) -> None:
        pass


class MemoryLedger:
    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}
        self.used: dict[Key, int] = {}
        self.leased: dict[int, tuple[Key, int]] = {}
        self.first_used_at: dict[str, float] = {}
        self.ends: list[End] = []
        self.is_down = False

    def open(self, grant: Grant) -> None:
        self.grants[grant.id] = grant

    def used_of(self, grant: Grant, index: int = 0, window: int = 0) -> int:
        return self.used.get((grant.id, index, window), 0)

    def register(self, node: Node) -> None:
        self._check()

    def transact(self, node_id: UUID, asks: Sequence[Ask]) -> Settled:
        self._check()
        opened: dict[str, Opened | None] = {}
        drawn: dict[int, Drawn] = {}
        for ask in asks:
            if isinstance(ask, Open):
                opened[ask.grant_id] = self._open(ask.grant_id)
            elif isinstance(ask, Return):
                self._give_back(ask)
            elif isinstance(ask, End):
                self.ends.append(ask)
            else:
                drawn[ask.slot] = self._draw(ask)
        return Settled(opened, drawn, 0.0)

    def _check(self) -> None:
        if self.is_down:
            raise LedgerUnavailable("switched off")

    def _open(self, grant_id: str) -> Opened | None:
        grant = self.grants.get(grant_id)
        if grant is None:
            return None
        if grant.starts is Starts.FIRST_USE:
            self.first_used_at.setdefault(grant_id, time.time())
        return Opened(self.first_used_at.get(grant_id))

    def _give_back(self, ask: Return) -> None:
        if ask.slot in self.leased:
            key, amount = self.leased[ask.slot]
            self.used[key] -= amount - ask.keep
            self.leased[ask.slot] = (key, ask.keep)
            if ask.close:
                del self.leased[ask.slot]

    def _draw(self, ask: Draw) -> Drawn:
        if ask.grant_id not in self.grants:
            return Drawn(Verdict.NO_LEDGER, 0, 0, 0, 0)
        limit, now_s = ask.limit, time.time()
        start_s = self.grants[ask.grant_id].not_before
        window = window_number(start_s=start_s, window_seconds=limit.window_seconds, now_s=now_s)
        key = (ask.grant_id, ask.index, window)
        bound, amount = self.leased.get(ask.slot, (key, 0))
        if bound != key:
            return Drawn(Verdict.WINDOW_OVER, amount, 0, bound[2], 0)
        left, held = limit.total - self.used.get(key, 0), amount - ask.spent
        unit = limit.reserved_per_call or 1
        granted = block(
            left,
            waiting=max(0, ask.waiting - held),
            quantum=limit.quantum,
            last_second=ask.last_second,
        )
        if held + granted < unit:
            granted = 0
        self.used[key] = self.used.get(key, 0) + granted
        if amount + granted:
            self.leased[ask.slot] = (key, amount + granted)
        end_s = window_end_s(start_s=start_s, window_seconds=limit.window_seconds, number=window)
        enough = held + granted >= max(unit, ask.least) or not ask.waiting
        return Drawn(
            Verdict.LEASED if enough else Verdict.EXHAUSTED,
            amount=amount + granted,
            left=left - granted,
            window=window,
            valid_for_s=end_s - now_s,
            alone=True,
        )

    def leave(self, node_id: UUID, returns: Sequence[Return]) -> None:
        self._check()
        for ask in returns:
            self._give_back(ask)

    def recover(self, node: Node) -> int:
        self._check()
        return 0

    def follow(self, node_id: UUID, news: News) -> Silence:
        return Silence()

    def close(self) -> None:
        pass
