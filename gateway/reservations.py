"""What one exchange reserved, and takes as it goes: paced, counted, and settled exactly once."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from gateway import pacing
from gateway.domain.allowance import (
    NOTHING_SAID,
    Holding,
    Refused,
    close,
    cost_in,
    give_back_newest,
    settle,
    take_whole,
    void,
)
from gateway.domain.limits import Credits, Direction
from gateway.ledgers.rates import Standing
from gateway.supply import Supplies, Supply
from gateway.waiting import Needs


class Purse(Protocol):
    """The allowance that it is part of."""

    standing: Standing | None
    credits_per_call: int
    is_flat: bool
    """A call costs what was reserved for it."""
    data: Mapping[Direction, Supplies]
    messages: Mapping[Direction, Supplies]

    def take_some(self, taken: dict[Holding, int], supplies: Supplies, wanted: int) -> int: ...
    async def wait_some(
        self, taken: dict[Holding, int], supplies: Supplies, wanted: int
    ) -> int: ...
    def holds_now(self) -> bool: ...
    async def wait_whole(
        self, take_now: Callable[[], bool], needs: Needs, undo: Callable[[object], None]
    ) -> Refused | None: ...
    async def cover(self, taken: dict[Holding, int], count: Mapping[str, int]) -> bool: ...


class Reservation:
    """One exchange's part: what it reserved, what it took since. Settled exactly once."""

    __slots__ = ("_is_settled", "_taken", "allowance", "credits", "events")

    def __init__(self, allowance: Purse, taken: dict[Holding, int]) -> None:
        self.allowance = allowance
        self._taken = taken
        self._is_settled = False
        self.credits = 0
        """What it cost, once it is settled."""
        self.events = 0

    def take_bytes(self, direction: Direction, wanted: int) -> int:
        """Bytes that may be passed on now; 0: `await wait_bytes()`."""
        allowance = self.allowance
        supplies = allowance.data[direction]
        if allowance.standing is None:
            return allowance.take_some(self._taken, supplies, wanted)
        pacers = allowance.standing.pacers[direction]
        wanted = pacing.take_now(pacers, wanted)
        granted = allowance.take_some(self._taken, supplies, wanted) if wanted else 0
        if granted != wanted:
            pacing.give_back(pacers, wanted - granted)
        return granted

    async def wait_bytes(self, direction: Direction, wanted: int) -> int:
        """As take_bytes, from the ledger if need be; 0 is the end. Raises LedgerUnavailable."""
        standing, supplies = self.allowance.standing, self.allowance.data[direction]
        if standing is None:
            return await self.allowance.wait_some(self._taken, supplies, wanted)
        take = partial(self._take_or_wait, supplies)
        return await pacing.take(standing.pacers[direction], wanted, take)

    async def _take_or_wait(self, supplies: Supplies, wanted: int) -> int:
        if self._is_settled:  # While it waited.
            return 0
        allowance = self.allowance
        granted = allowance.take_some(self._taken, supplies, wanted)
        return granted or await allowance.wait_some(self._taken, supplies, wanted)

    async def take_events(self, wanted: int, direction: Direction = Direction.DOWN) -> int:
        """How many of so many messages may be passed on; 0 is the end."""
        granted = await self._take_or_wait(self.allowance.messages[direction], wanted)
        self.events += granted
        return granted

    def give_back_events(self, units: int, direction: Direction) -> None:
        self.events -= units
        for supply in self.allowance.messages[direction]:
            give_back_newest(self._taken, supply.limit, units)

    async def cover(self, count: Mapping[str, int]) -> bool:
        """Reserve as often as the units counted so far cost; False: nothing is left for it."""
        return await self.allowance.cover(self._taken, count)

    def take_message(self, direction: Direction, size: int, count: int = 1) -> bool:
        """Whether `count` messages of `size` bytes may pass now; else `await wait_message()`."""
        standing = self.allowance.standing
        if standing is not None and standing.pacers[direction]:
            return False
        return self._take_message(direction, size, count)

    async def wait_message(self, direction: Direction, size: int, count: int = 1) -> Refused | None:
        """As take_message, paced, and from the ledger if need be; a refusal is the end."""
        standing, left = self.allowance.standing, size
        while standing is not None and standing.pacers[direction] and left:
            left -= await pacing.take(standing.pacers[direction], left, _all_of_it)
        costs = self._costs(direction, size, count)
        needs = [(supply.position, units) for supply, units in costs]

        def undo(outcome: object) -> None:
            if outcome is True:
                self.give_back_message(direction, size, count)

        take_now = partial(self._take_message, direction, size, count)
        return await self.allowance.wait_whole(take_now, needs, undo)

    def _take_message(self, direction: Direction, size: int, count: int) -> bool:
        """All that it costs, or nothing of it."""
        costs = self._costs(direction, size, count)
        if not costs:
            return True
        if self._is_settled or not self.allowance.holds_now():
            return False
        return take_whole(self._taken, [(supply.holding, units) for supply, units in costs])

    def give_back_bytes(self, direction: Direction, units: int) -> None:
        """Taken, but not passed on."""
        for supply in self.allowance.data[direction]:
            give_back_newest(self._taken, supply.limit, units)

    def give_back_message(self, direction: Direction, size: int, count: int = 1) -> None:
        """Taken, but not delivered."""
        for supply, units in self._costs(direction, size, count):
            give_back_newest(self._taken, supply.limit, units)

    def _costs(self, direction: Direction, size: int, count: int) -> list[tuple[Supply, int]]:
        costs = [(supply, count) for supply in self.allowance.messages[direction]]
        costs += [(supply, size) for supply in self.allowance.data[direction]]
        return [(supply, units) for supply, units in costs if units]

    def settle_call(self) -> None:
        """Charge what a call costs that nobody said or counted anything else of."""
        allowance = self.allowance
        if not allowance.is_flat:
            self.settle(charged=True)
            return
        assert not self._is_settled
        self._is_settled = True
        self.credits = allowance.credits_per_call
        for holding in self._taken:  # And nothing of it comes back.
            holding.open -= 1
        self._taken = {}
        if allowance.standing is not None:
            allowance.standing.release()

    def settle(
        self,
        *,
        charged: bool,
        credits: int | None = None,  # noqa: A002 - the protocol's word
        calls: int = 1,
        said: Mapping[str, int] = NOTHING_SAID,
        count: Mapping[str, int] | None = None,
    ) -> bool:
        """Charge the real cost; not charged: nothing was used, bytes included.

        True: it was above what was reserved, and clamped.
        """
        clamped = False
        if charged:
            clamped = settle(self._taken, credits=credits, calls=calls, said=said, count=count)
        else:
            void(self._taken)
        self.credits = cost_in(self._taken, Credits)
        self._close()
        return clamped

    def _close(self) -> None:
        assert not self._is_settled
        self._is_settled = True
        close(self._taken)
        if self.allowance.standing is not None:
            self.allowance.standing.release()


async def _all_of_it(wanted: int) -> int:
    return wanted
