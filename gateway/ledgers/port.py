"""What leasing asks of the durable ledger.

Every ask names absolute numbers (the slot's `spent`, what to `keep`), so that repeating one whose
answer was lost changes nothing. All asks of a call are one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from uuid import UUID

from gateway.domain.limits import Quota

LEASE_TIME_S = 60.0  # After it staff may credit what a lost machine had leased.
SPEND_TIME_S = LEASE_TIME_S / 2  # A node whose heartbeat is older spends no more.
RECALL_WAIT_S = 0.25
LOCK_WAIT_S = 2.0


class LedgerUnavailable(Exception):
    """The ledger cannot say. Nothing is granted and nothing is refused for good."""


class NodeLost(Exception):
    """Our node's row is gone: its leases were settled by somebody else and must not be spent."""


@dataclass(frozen=True, slots=True)
class Node:
    id: UUID
    boot_id: str
    host: str
    journal: Path


@dataclass(frozen=True, slots=True)
class Open:
    """Is there a ledger for this grant? Records the first use where that starts the clock."""

    grant_id: str


@dataclass(frozen=True, slots=True)
class Draw:
    """Lease more of one limit into `slot`."""

    slot: int
    grant_id: str
    index: int
    limit: Quota
    window: int | None  # The window that the slot is bound to; None while it holds nothing.
    known: int  # The slot's amount as the node knows it.
    spent: int
    waiting: int  # Units that are waited for beside those spent; 0 when drawing ahead.
    last_second: int
    asked: int  # The recall this node waits for, 0 for none.
    least: int = 0  # Somebody who waits needs so many units at once; fewer do not serve him.


@dataclass(frozen=True, slots=True)
class Return:
    """Give back all that `slot` holds above `keep`."""

    slot: int
    keep: int
    close: bool  # Nothing can come back to this slot any more.


@dataclass(frozen=True, slots=True)
class End:
    grant_id: str
    reason: str
    at_s: float


class Verdict(StrEnum):
    LEASED = "leased"
    EXHAUSTED = "exhausted"  # Nothing left, and nothing out elsewhere that has not been asked for.
    RECALLING = "recalling"  # Other nodes hold some and have been asked for it.
    WINDOW_OVER = "window_over"  # The slot belongs to a past window.
    NO_LEDGER = "no_ledger"


@dataclass(frozen=True, slots=True)
class Opened:
    first_used_at_s: float | None


@dataclass(frozen=True, slots=True)
class Drawn:
    verdict: Verdict
    amount: int  # What the slot was leased in all; 0 when it has no row.
    left: int  # In the row, on nobody's lease.
    window: int
    valid_for_s: float  # Until the window ends, infinite without one.
    asked: int = 0
    alone: bool = False  # No other lease of this limit exists: EXHAUSTED stays so.
    recalled: bool = False  # Somebody waits for what this slot holds.


@dataclass(frozen=True, slots=True)
class Settled:
    opened: Mapping[str, Opened | None]
    drawn: Mapping[int, Drawn]
    heartbeat_age_s: float


Ask = Open | Draw | Return | End
News = Callable[[Sequence[int]], None]
"""Called from another thread: the slots that are recalled; none when something else changed."""


class Follower(Protocol):
    def attend(self, active: bool) -> None: ...
    def close(self) -> None: ...


class Ledger(Protocol):
    """Called from one thread of the node's own; blocks at most LOCK_WAIT_S on a lock."""

    def register(self, node: Node) -> None: ...
    def transact(self, node_id: UUID, asks: Sequence[Ask]) -> Settled: ...
    def leave(self, node_id: UUID, returns: Sequence[Return]) -> None: ...
    def recover(self, node: Node) -> int: ...
    def follow(self, node_id: UUID, news: News) -> Follower: ...
    def close(self) -> None: ...
