"""What one grant may still do on this node: the fast path of every request, and the wait behind it.

`acquire_now` and `take_bytes` are synchronous and spend what the node holds. Only when that is too
little does somebody wait, until the desk (leasing.py) has asked the ledger.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from gateway.asgi import Headers
from gateway.domain.allowance import (
    Holding,
    Refused,
    Unavailable,
    Why,
    Words,
    give_back_newest,
    reserve,
    take,
    take_of,
)
from gateway.domain.limits import Credits, Data, Direction, Messages, is_quota
from gateway.domain.tokens import Grant
from gateway.ledgers.port import LedgerUnavailable
from gateway.ledgers.rates import Rates
from gateway.reservations import Reservation
from gateway.supply import Supplies, Supply, by_direction
from gateway.telling import Telling
from gateway.waiting import Asks, Needs, Waiter

WAIT_S = 2.5  # For the ledger's answer; its own lock timeout is 2 s.
WAITING_MAX = 10_000  # Of one grant on one node; beyond that the answer is 503 at once.
EXPIRED = Refused(Why.GRANT_EXPIRED)
NO_LEDGER = Refused(Why.NO_LEDGER)
UNAVAILABLE = Unavailable()


class Desk(Protocol):
    """Carries an allowance's asks to the ledger."""

    clock: Callable[[], float]
    spend_until: float  # Later than that our heartbeat is too old to spend anything.
    asked: int  # Counts the batches sent: a ruling holds for those who waited when it was asked.
    open: bool
    rates: Rates

    @property
    def words(self) -> Words: ...
    def ask(self, allowance: "Allowance") -> None: ...
    def record_end(self, grant_id: str, reason: str, at_s: float) -> None: ...


class Allowance:
    def __init__(self, grant: Grant, desk: Desk) -> None:
        self.grant = grant
        self.opened = False
        self.missing = False
        self.failed_in = 0  # The last batch of ours that the ledger did not answer.
        self.ends_at_s = float(grant.expires_at)  # Known for good once the first acquire returned.
        quotas = [(index, limit) for index, limit in enumerate(grant.limits) if is_quota(limit)]
        self.supplies = [Supply(*quota, position) for position, quota in enumerate(quotas)]
        self.standing = desk.rates.standing(grant.id, grant.limits)
        self.holdings = [supply.start(desk.words) for supply in self.supplies]
        self.waiting: deque[Waiter] = deque()
        self.seen_at = desk.clock()
        self._desk = desk
        self._clock = desk.clock
        self._valid_until = 0.0  # 0 until the ledger knows the grant.
        self._costs = tuple(supply.limit.reserved_per_call for supply in self.supplies)
        needs = tuple((position, cost or 1) for position, cost in enumerate(self._costs))
        self._asks = (needs, needs)
        self.data = by_direction(self.supplies, Data)
        self.messages = by_direction(self.supplies, Messages)
        self.counts_events = bool(self.messages[Direction.DOWN])
        self.counts_messages = self.counts_events or bool(self.messages[Direction.UP])
        self._arrange()
        credits = [limit for limit in grant.limits if isinstance(limit, Credits)]  # noqa: A001
        self.credits_per_call = credits[0].per_call if credits else 0
        self.is_metered = any(limit.per_unit for limit in credits)
        self.is_plain = not (self.is_metered or self.counts_messages)
        """What passes is bytes, and nothing is counted in it."""
        self.is_flat = all(limit.per_call == limit.max_per_call for limit in credits)
        self.telling = Telling(grant.limits, self.supplies, self.standing, desk.clock)

    def acquire_now(self, now_s: float) -> "Reservation | Refused | Unavailable | None":
        """Reserve one call of what is held. None: `await acquire()`."""
        standing = self.standing
        if standing is None:
            return self._reserve_now(now_s)
        if standing.remote is not None:
            return EXPIRED if now_s >= self.ends_at_s else None
        refused = standing.refusal(now_s)
        if refused is not None:
            return self._first_of(refused, now_s)
        outcome = self._reserve_now(now_s)
        if isinstance(outcome, Reservation):
            standing.take()
        return outcome

    def _reserve_now(self, now_s: float) -> "Reservation | Refused | None":
        if now_s >= self.ends_at_s:
            return EXPIRED
        now = self._clock()
        if now >= self._valid_until or now >= self._desk.spend_until:
            return None
        taken = reserve(self._charged, self._needed)
        if taken is None:
            return None
        return Reservation(self, taken)

    def _first_of(self, refused: Refused | Unavailable, now_s: float) -> Refused | Unavailable:
        """The end of the grant, or of a quota that stands before the limit that refuses."""
        if now_s >= self.ends_at_s:
            return EXPIRED
        if isinstance(refused, Unavailable) or refused.limit is None:
            return refused
        position = self.grant.limits.index(refused.limit)
        needs = [each for each in self._asks[1] if self.supplies[each[0]].index < position]
        return self._final(needs) or refused

    async def acquire(self, now_s: float) -> "Reservation | Refused | Unavailable":
        remote = None if self.standing is None else self.standing.remote
        if remote is None:
            return await self._acquire(lambda: self.acquire_now(now_s))
        refused = await remote.obtain(now_s)
        if refused is not None:
            return self._first_of(refused, now_s)
        try:
            outcome = await self._acquire(lambda: self._reserve_now(now_s))
        except BaseException:
            remote.undo()
            raise
        if not isinstance(outcome, Reservation):
            remote.undo()
        return outcome

    async def _acquire(
        self, reserve_now: Callable[[], object]
    ) -> "Reservation | Refused | Unavailable":
        outcome = await self._obtain(
            lambda: reserve_now() or self._final(self._asks[1]), self._asks, _undo_reservation
        )
        assert isinstance(outcome, Reservation | Refused | Unavailable)
        return outcome

    async def wait_some(self, taken: dict[Holding, int], supplies: Supplies, wanted: int) -> int:
        """At least one unit and at most `wanted`; 0 when there will be none."""

        def attempt() -> object:
            return self.take_some(taken, supplies, wanted) or self._final(least)

        needs = tuple((supply.position, wanted) for supply in supplies)
        least = tuple((supply.position, 1) for supply in supplies)
        undo = partial(self._undo_some, taken, supplies)
        outcome = await self._obtain(attempt, (needs, least), undo)
        if isinstance(outcome, Unavailable):
            raise LedgerUnavailable
        return outcome if isinstance(outcome, int) else 0

    def _undo_some(self, taken: dict[Holding, int], supplies: Supplies, got: object) -> None:
        if isinstance(got, int):
            for supply in supplies:
                give_back_newest(taken, supply.limit, got)

    def take_some(self, taken: dict[Holding, int], supplies: Supplies, wanted: int) -> int:
        """As many units, up to `wanted`, as all of `supplies` hold now."""
        if not supplies:
            return wanted
        now = self._clock()  # As holds_now(): every call comes through here.
        if now >= self._valid_until or now >= self._desk.spend_until:
            return 0
        if len(supplies) == 1:
            return take_of(taken, supplies[0].holding, wanted)
        return take(taken, [supply.holding for supply in supplies], wanted)

    async def cover(self, taken: dict[Holding, int], count: Mapping[str, int]) -> bool:
        for supply in self.supplies:
            limit = supply.limit
            if not isinstance(limit, Credits) or not limit.per_unit:
                continue
            cost = limit.cost(count)
            while cost > sum(units for holding, units in taken.items() if holding.limit is limit):
                if not await self._reserve_again(taken, supply):
                    return False
        return True

    async def _reserve_again(self, taken: dict[Holding, int], supply: Supply) -> bool:
        units = supply.limit.reserved_per_call

        def attempt() -> object:
            if not self.holds_now():
                return None
            if supply.short_of(units):
                return self._final(needs)
            return take(taken, [supply.holding], units)

        needs = ((supply.position, units),)
        outcome = await self._obtain(attempt, (needs, needs))
        if isinstance(outcome, Unavailable):
            raise LedgerUnavailable
        return isinstance(outcome, int)

    def holds_now(self) -> bool:
        """Whether what is held may be spent at this moment."""
        now = self._clock()
        return now < self._valid_until and now < self._desk.spend_until

    async def wait_whole(
        self, take_now: Callable[[], bool], needs: Needs, undo: Callable[[object], None]
    ) -> Refused | None:
        """Until all of `needs` is there at once. Raises LedgerUnavailable."""
        outcome = await self._obtain(lambda: take_now() or self._final(needs), (needs, needs), undo)
        if isinstance(outcome, Unavailable):
            raise LedgerUnavailable
        return outcome if isinstance(outcome, Refused) else None

    def _final(self, least: Needs) -> Refused | None:
        """What the ledger ruled so lately, and for good, that it need not be asked again."""
        now = self._clock()
        for index, units in least:
            supply = self.supplies[index]
            if supply.is_final(units, now):
                return supply.refusal(now)
        return None

    async def _obtain(
        self,
        attempt: Callable[[], object],
        asks: Asks,
        undo: Callable[[object], None] = lambda _: None,
    ) -> object:
        """`undo`: whoever waited for it left at the moment when he got it."""
        self.seen_at = self._clock()
        self.refresh()
        outcome = attempt()
        if outcome is not None:
            return outcome
        if not self._desk.open or len(self.waiting) >= WAITING_MAX:
            return UNAVAILABLE
        waiter = Waiter(attempt, asks, joined=self._desk.asked, until=self._clock() + WAIT_S)
        self.waiting.append(waiter)
        self._desk.ask(self)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                undo(waiter.future.result())
            raise

    def open(self, first_used_at_s: float | None) -> None:
        self.opened = True
        if first_used_at_s is not None and self.grant.access_seconds is not None:
            self.ends_at_s = min(self.ends_at_s, first_used_at_s + self.grant.access_seconds)

    def refresh(self) -> None:
        """Leave windows that are over."""
        now = self._clock()
        for supply in self.supplies:
            if now >= supply.valid_until:
                self.renew(supply)
        if self.opened:
            self._valid_until = min(
                (supply.valid_until for supply in self.supplies), default=math.inf
            )

    def renew(self, supply: Supply) -> None:
        """An empty holding in place of the former; the desk settles that by its slot."""
        self.holdings[supply.position] = supply.renew(self._desk.words)
        self._arrange()
        self.telling.renewed()

    def _arrange(self) -> None:
        """What every call asks of the holdings, put in order once for each of their windows."""
        costs = list(zip(self.holdings, self._costs, strict=True))
        self._charged = tuple((holding, cost) for holding, cost in costs if cost)
        self._needed = tuple(holding for holding, cost in costs if not cost)

    def needs(self) -> tuple[list[int], list[int]]:
        """Units waited for, by limit, and the most of them that somebody needs at once."""
        units, least = [0] * len(self.supplies), [0] * len(self.supplies)
        for waiter in self.waiting:
            for index, count in waiter.needs:
                units[index] += count
            for index, count in waiter.least:
                least[index] = max(least[index], count)
        return units, least

    def advance(self) -> None:
        """Serve those who wait, in their order, and tell the others what was ruled."""
        self.refresh()
        now = self._clock()
        still: deque[Waiter] = deque()
        for waiter in self.waiting:
            if waiter.future.done():
                continue
            outcome = waiter.attempt()
            if outcome is None:
                outcome = self._ruled(waiter, now)
            if outcome is None:
                still.append(waiter)
            else:
                waiter.future.set_result(outcome)
        self.waiting = still
        if still:
            self._desk.ask(self)

    def _ruled(self, waiter: Waiter, now: float) -> Refused | Unavailable | None:
        if self.missing:
            return NO_LEDGER
        if now >= waiter.until or self.failed_in > waiter.joined:
            return UNAVAILABLE
        for index, units in waiter.least:
            supply = self.supplies[index]
            if supply.ruled_in <= waiter.joined or supply.ruling is None:
                continue
            if isinstance(supply.ruling, Unavailable) or supply.short_of(units):
                return supply.ruling
        return None

    def headers(self, now_s: float) -> Headers:
        """On every answer to a call with a valid token."""
        return self.telling.headers(now_s, self.ends_at_s)

    @property
    def is_idle(self) -> bool:
        return not self.waiting and (self.standing is None or self.standing.is_idle())

    def rest(self) -> None:
        """What a client used who left in the middle goes back at the next look."""
        now = self._clock()
        for supply in self.supplies:
            supply.rest(now)

    def ended(self, reason: str, now_s: float) -> None:
        """Remembered in the ledger, behind the request."""
        self._desk.record_end(self.grant.id, reason, now_s)


def _undo_reservation(outcome: object) -> None:
    if isinstance(outcome, Reservation):
        outcome.settle(charged=False)
