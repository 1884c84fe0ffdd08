"""A ledger in memory that can be slow, away, held by others, or done with us."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from gateway.domain.limits import block
from gateway.ledgers.port import (
    Ask,
    Draw,
    Drawn,
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
    Verdict,
)

FOR_EVER_S = float("inf")


class DeafFollower:
    def attend(self, active: bool) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class FakeLedger:
    """One quota per (grant, index), all of this node's but for what is `elsewhere`."""

    left: dict[tuple[str, int], int] = field(default_factory=dict)
    elsewhere: int = 0
    valid_for_s: float = FOR_EVER_S
    first_used_at_s: float | None = None
    away: bool = False
    lost: bool = False
    answering: threading.Event = field(default_factory=threading.Event)
    transactions: list[list[Ask]] = field(default_factory=list)
    leases: dict[int, tuple[tuple[str, int], int]] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    news: News | None = None

    def __post_init__(self) -> None:
        self.answering.set()

    def register(self, node: Node) -> None:
        if self.away:
            raise LedgerUnavailable
        self.nodes.append(node)
        self.lost = False

    def transact(self, node_id: UUID, asks: Sequence[Ask]) -> Settled:
        self.answering.wait(10)
        if self.away:
            raise LedgerUnavailable
        if self.lost:
            self.leases.clear()
            raise NodeLost
        self.transactions.append(list(asks))
        self.ends += [ask for ask in asks if isinstance(ask, End)]
        for ask in asks:
            if isinstance(ask, Return):
                self._give_back(ask)
        known = {grant_id for grant_id, _ in self.left}
        opens = [ask.grant_id for ask in asks if isinstance(ask, Open)]
        opened = {each: Opened(self.first_used_at_s) if each in known else None for each in opens}
        drawn = {ask.slot: self._draw(ask) for ask in asks if isinstance(ask, Draw)}
        return Settled(opened, drawn, heartbeat_age_s=0.0)

    def _give_back(self, ask: Return) -> None:
        key, amount = self.leases.pop(ask.slot)
        self.left[key] += amount - ask.keep
        if not ask.close:
            self.leases[ask.slot] = key, ask.keep

    def _draw(self, ask: Draw) -> Drawn:
        key = ask.grant_id, ask.index
        if key not in self.left:
            return Drawn(Verdict.NO_LEDGER, 0, 0, 0, 0)
        _, amount = self.leases.get(ask.slot, (key, 0))
        granted = block(
            self.left[key],
            waiting=max(0, ask.waiting - (amount - ask.spent)),
            quantum=ask.limit.quantum,
            last_second=ask.last_second,
        )
        amount += granted
        self.left[key] -= granted
        if amount:
            self.leases[ask.slot] = key, amount
        enough = amount - ask.spent >= (ask.limit.reserved_per_call or 1) or not ask.waiting
        verdict = Verdict.LEASED if enough else Verdict.EXHAUSTED
        if not enough and self.elsewhere:
            verdict = Verdict.RECALLING
        return Drawn(
            verdict,
            amount,
            self.left[key],
            window=0,
            valid_for_s=self.valid_for_s,
            asked=1 if verdict is Verdict.RECALLING else 0,
            alone=not self.elsewhere,
        )

    def leave(self, node_id: UUID, returns: Sequence[Return]) -> None:
        if self.away:
            raise LedgerUnavailable
        for ask in returns:
            self._give_back(ask)

    def recover(self, node: Node) -> int:
        if self.away:
            raise LedgerUnavailable
        return 0

    def follow(self, node_id: UUID, news: News) -> Follower:
        self.news = news
        return DeafFollower()

    def close(self) -> None:
        pass
