"""What one exchange reserved, and takes as it goes: paced, counted, and settled exactly once."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from gateway import pacing
from gateway.domain.allowance import (
    Holding,
    Refused,
    close,
    give_back_newest,
    settle,
    take_whole,
    void,
)
from gateway.domain.limits import Direction
from gateway.ledgers.rates import Standing
from gateway.supply import Supply
from gateway.waiting import Needs


class Purse(Protocol):
    """The allowance that it is part of."""

    standing: Standing | None

    def take_bytes(self, taken: dict[Holding, int], direction: Direction, wanted: int) -> int: ...
    async def wait_bytes(
        self, taken: dict[Holding, int], direction: Direction, wanted: int
    ) -> int: ...
    async def cover(self, taken: dict[Holding, int], count: Mapping[str, int]) -> bool: ...
    def give_back_bytes(
        self, taken: dict[Holding, int], direction: Direction, units: int
    ) -> None: ...
    def of_direction(self, direction: Direction) -> tuple[Supply, ...]: ...
    def holds_now(self) -> bool: ...
    async def wait_whole(self, take_now: Callable[[], bool], needs: Needs) -> Refused | None: ...


class Reservation:
    """One exchange's part: what it reserved, what it took since. Settled exactly once."""

    __slots__ = ("_is_settled", "_taken", "allowance")

    def __init__(self, allowance: Purse, taken: dict[Holding, int]) -> None:
        self.allowance = allowance
        self._taken = taken
        self._is_settled = False

    def take_bytes(self, direction: Direction, wanted: int) -> int:
        """Bytes that may be passed on now; 0: `await wait_bytes()`."""
        allowance = self.allowance
        if allowance.standing is None:
            return allowance.take_bytes(self._taken, direction, wanted)
        pacers = allowance.standing.pacers[direction]
        wanted = pacing.take_now(pacers, wanted)
        granted = allowance.take_bytes(self._taken, direction, wanted) if wanted else 0
        pacing.give_back(pacers, wanted - granted)
        return granted

    async def wait_bytes(self, direction: Direction, wanted: int) -> int:
        """As take_bytes, from the ledger if need be; 0 is the end. Raises LedgerUnavailable."""
        standing = self.allowance.standing
        if standing is None:
            return await self.allowance.wait_bytes(self._taken, direction, wanted)
        take = partial(self._take_paced, direction)
        return await pacing.take(standing.pacers[direction], wanted, take)

    async def _take_paced(self, direction: Direction, wanted: int) -> int:
        if self._is_settled:  # While it waited.
            return 0
        granted = self.allowance.take_bytes(self._taken, direction, wanted)
        return granted or await self.allowance.wait_bytes(self._taken, direction, wanted)

    def give_back_bytes(self, direction: Direction, units: int) -> None:
        """Taken, but not delivered."""
        self.allowance.give_back_bytes(self._taken, direction, units)

    async def cover(self, count: Mapping[str, int]) -> bool:
        """Reserve as often as the units counted so far cost; False: nothing is left for it."""
        return await self.allowance.cover(self._taken, count)

    def take_message(self, direction: Direction, size: int) -> bool:
        """Whether a message of `size` bytes may be passed on now; else `await wait_message()`."""
        standing = self.allowance.standing
        if standing is not None and standing.pacers[direction]:
            return False
        return self._take_message(direction, size)

    async def wait_message(self, direction: Direction, size: int) -> Refused | None:
        """As take_message, paced, and from the ledger if need be; a refusal is the end."""
        standing, left = self.allowance.standing, size
        while standing is not None and standing.pacers[direction] and left:
            left -= await pacing.take(standing.pacers[direction], left, _all_of_it)
        needs = [(supply.position, units) for supply, units in self._costs(direction, size)]
        return await self.allowance.wait_whole(partial(self._take_message, direction, size), needs)

    def _take_message(self, direction: Direction, size: int) -> bool:
        """All that it costs, or nothing of it."""
        costs = self._costs(direction, size)
        if not costs:
            return True
        if self._is_settled or not self.allowance.holds_now():
            return False
        return take_whole(self._taken, [(supply.holding, units) for supply, units in costs])

    def give_back_message(self, direction: Direction, size: int) -> None:
        """Taken, but not delivered."""
        for supply, units in self._costs(direction, size):
            give_back_newest(self._taken, supply.limit, units)

    def _costs(self, direction: Direction, size: int) -> list[tuple[Supply, int]]:
        if not size:
            return []
        return [(supply, size) for supply in self.allowance.of_direction(direction)]

    def settle(
        self,
        *,
        charged: bool,
        credits: int | None = None,  # noqa: A002 - the protocol's word
        calls: int = 1,
        data: int | None = None,
        count: Mapping[str, int] | None = None,
    ) -> bool:
        """Charge the real cost; not charged: nothing was used, bytes included.

        True: it was above what was reserved, and clamped.
        """
        assert not self._is_settled
        self._is_settled = True
        clamped = False
        if charged:
            clamped = settle(self._taken, credits=credits, calls=calls, data=data, count=count)
        else:
            void(self._taken)
        close(self._taken)
        if self.allowance.standing is not None:
            self.allowance.standing.release()
        return clamped


async def _all_of_it(wanted: int) -> int:
    return wanted
