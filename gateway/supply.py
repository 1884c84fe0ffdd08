"""When one limit of one grant draws units from the ledger, and when it gives them back.

Decides, does not act: leasing.py carries the asks and brings the answers. Times are seconds of
CLOCK_BOOTTIME, which runs on while the machine sleeps.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum

from gateway.domain.allowance import NO_SLOT, Holding, Refused, Unavailable, Why, Words
from gateway.domain.allowance import retry_after_s as rounded
from gateway.domain.limits import Data, Direction, Messages, Quota
from gateway.ledgers.port import RECALL_WAIT_S, Draw, Drawn, Return, Verdict

IDLE_S = 0.8  # Looked at five times a second: within one second all of it is on its way back.
FINAL_S = 1.0  # How long "all is spent" is believed without asking again.
BACK_S = 1.0  # Whoever uses it so soon after it rested would have had it until it was idle.
PACE_S = 2.0  # For how long a new holding is drawn for as fast a use as its former one's.


class Move(StrEnum):
    STAY = "stay"
    DRAW_AHEAD = "draw_ahead"
    GIVE_BACK = "give_back"


class Supply:
    """One limit's supply: what is held now, how fast it goes, what was last ruled."""

    def __init__(self, index: int, limit: Quota, position: int = 0) -> None:
        self.index = index  # Of the limit in the grant, by which the ledger knows it.
        self.position = position  # Among the grant's quotas.
        self.limit = limit
        self.left = limit.total
        self.asked = 0
        self.recall_until = math.inf
        self.quiet = False  # A recall is under way and nothing has changed since.
        self.ruling: Refused | Unavailable | None = None
        self.ruled_in = 0
        self.final_until = 0.0
        self.window_until = math.inf
        self.last_second = self.mark = 0
        self.mark_at = 0.0
        self.rests = True  # At once, when whoever used it leaves.
        self.rested_at = -math.inf

    def start(self, words: Words) -> Holding:
        """An empty holding."""
        self.holding = Holding(self.limit, words)
        self.valid_until = math.inf
        self.ahead = False
        self.seen = 0
        self.busy_at = self.drawn_at = 0.0
        return self.holding

    def renew(self, words: Words) -> Holding:
        """An empty holding, used as fast as the former, which is settled by itself."""
        self.mark = -self._used_since_mark()
        return self.start(words)

    def short_of(self, units: int) -> bool:
        return self.holding.held < units

    def observe(self, now: float) -> Move:
        """What the passing of time asks for, looked at several times a second."""
        holding = self.holding
        if holding.spent != self.seen:
            self.seen = holding.spent
            self._use(now)
        if now - self.mark_at >= 1:
            self.last_second = self._used_since_mark()
            self.mark, self.mark_at = holding.spent, now
        if now - self.busy_at >= IDLE_S:
            self.rests = self.rests or self.busy_at > -math.inf
            return Move.GIVE_BACK if holding.held or not holding.open else Move.STAY
        if self.left and now - self.drawn_at >= 1 and holding.held < self.last_second // 2:
            return Move.DRAW_AHEAD
        return Move.STAY

    def _use(self, now: float) -> None:
        self.busy_at = now
        if now - self.rested_at < BACK_S:
            self.rests = False

    def rest(self, now: float) -> None:
        """Whoever used it has left, so it is idle from now on, unless somebody else uses it.

        Where somebody did the last time, it is left until it is idle of itself: among those who
        come and go each would draw anew what the one before him gave back.
        """
        if self.rests and not self.holding.open:
            self.seen, self.busy_at, self.rested_at = self.holding.spent, -math.inf, now

    def _used_since_mark(self) -> int:
        return max(0, self.holding.spent - self.mark)

    def draw(self, grant_id: str, waiting: int, least: int, now: float) -> Draw:
        holding = self.holding
        if not holding.amount and now - self.mark_at >= PACE_S:
            self.last_second = self.mark = 0
        return Draw(
            slot=holding.slot,
            grant_id=grant_id,
            index=self.index,
            limit=self.limit,
            window=holding.window,
            known=holding.amount,
            spent=holding.spent,
            waiting=waiting,
            last_second=max(self.last_second, self._used_since_mark()),
            asked=self.asked,
            least=least,
        )

    def apply(
        self, drawn: Drawn, holding: Holding, *, batch: int, sent_at: float, now: float
    ) -> None:
        """Take over an answer. `sent_at` was before the ledger looked at its clock."""
        self.ruled_in = batch
        if drawn.amount:
            holding.amount, holding.window = drawn.amount, drawn.window
        if holding is not self.holding:
            return
        self.left = drawn.left
        self.window_until = sent_at + drawn.valid_for_s
        self.drawn_at = now
        self._use(now)
        if drawn.amount:
            self.valid_until = self.window_until
        self.ruling = None
        self.quiet = drawn.verdict is Verdict.RECALLING
        if self.quiet:
            if self.asked == 0:
                self.recall_until = now + RECALL_WAIT_S
            self.asked = drawn.asked
            return
        self.asked, self.recall_until = 0, math.inf
        if drawn.verdict is Verdict.EXHAUSTED:
            self.ruling = self.refusal(now)
            self.final_until = now + FINAL_S if drawn.alone else 0.0

    def refusal(self, now: float) -> Refused:
        if self.limit.window_seconds is None:
            return Refused(Why.EXHAUSTED, self.limit)
        return Refused(Why.WINDOW_EXHAUSTED, self.limit, rounded(self.window_until - now))

    def is_final(self, units: int, now: float) -> bool:
        return now < self.final_until and now < self.window_until and self.short_of(units)

    def fail(self, batch: int) -> None:
        """The ledger or the other nodes did not answer."""
        self.ruling = Unavailable()
        self.ruled_in = batch
        self.asked, self.recall_until, self.quiet = 0, math.inf, False


Supplies = tuple[Supply, ...]


def by_direction(
    supplies: Iterable[Supply], kind: type[Data] | type[Messages]
) -> Mapping[Direction, Supplies]:
    each = [(supply, supply.limit) for supply in supplies]
    return {
        direction: tuple(
            supply for supply, limit in each if isinstance(limit, kind) and limit.counts(direction)
        )
        for direction in (Direction.UP, Direction.DOWN)
    }


def give_back(holding: Holding) -> Return:
    """From this moment on nothing of it is spent, whether the ledger hears of it or not."""
    assert holding.slot != NO_SLOT
    holding.amount = holding.spent
    return Return(slot=holding.slot, keep=holding.spent, close=holding.open == 0)
