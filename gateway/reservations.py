"""What one exchange reserved, and takes as it goes: paced, counted, and settled exactly once."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from gateway import pacing
from gateway.domain.allowance import Holding, close, settle, void
from gateway.domain.limits import Direction
from gateway.ledgers.rates import Standing


class Purse(Protocol):
    """The allowance that it is part of."""

    standing: Standing | None
    is_flat: bool
    """A call costs what was reserved for it."""

    def take_bytes(self, taken: dict[Holding, int], direction: Direction, wanted: int) -> int: ...
    async def wait_bytes(
        self, taken: dict[Holding, int], direction: Direction, wanted: int
    ) -> int: ...
    async def cover(self, taken: dict[Holding, int], count: Mapping[str, int]) -> bool: ...
    def give_back_bytes(
        self, taken: dict[Holding, int], direction: Direction, units: int
    ) -> None: ...


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

    def settle_call(self) -> None:
        """Charge what a call costs that nobody said or counted anything else of."""
        if self.allowance.is_flat:
            self._close()
        else:
            self.settle(charged=True)

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
        clamped = False
        if charged:
            clamped = settle(self._taken, credits=credits, calls=calls, data=data, count=count)
        else:
            void(self._taken)
        self._close()
        return clamped

    def _close(self) -> None:
        assert not self._is_settled
        self._is_settled = True
        close(self._taken)
        if self.allowance.standing is not None:
            self.allowance.standing.release()
