"""Who uses which slot of this process's journal.

A seat is taken before the ledger is asked for a lease and freed only when the ledger has confirmed
that the slot's lease is gone. So a slot's word always counts for one lease, whatever was lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from gateway.domain.allowance import NO_SLOT, Holding, Words
from gateway.journal import Journal
from gateway.ledgers.port import Return
from gateway.spending import Allowance
from gateway.supply import Supply, give_back


@dataclass(frozen=True, slots=True)
class Seat:
    allowance: Allowance
    supply: Supply
    holding: Holding  # The supply's present one, or a former one that is not settled yet.


class Seats:
    def __init__(self, directory: Path, node_id: UUID, boot: str) -> None:
        self._journal = Journal(directory, node_id, boot)
        self._seats: dict[int, Seat] = {}

    @property
    def path(self) -> Path:
        return self._journal.path

    @property
    def words(self) -> Words:
        return self._journal.words

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, slot: int) -> bool:
        return slot in self._seats

    def __getitem__(self, slot: int) -> Seat:
        return self._seats[slot]

    def __iter__(self) -> Iterator[tuple[int, Seat]]:
        return iter(self._seats.items())

    def take(self, allowance: Allowance, supply: Supply) -> None:
        """A slot for the supply's holding. Raises JournalFull."""
        holding = supply.holding
        holding.slot = self._journal.take_slot()
        holding.spent_words = self._journal.words
        self._seats[holding.slot] = Seat(allowance, supply, holding)

    def free(self, slot: int) -> None:
        self._seats.pop(slot).holding.slot = NO_SLOT
        self._journal.free_slot(slot)

    def give_back(self, slot: int) -> Return:
        seat = self._seats[slot]
        ask = give_back(seat.holding)
        if ask.close and seat.supply.holding is seat.holding:
            seat.allowance.renew(seat.supply)
        return ask

    def leave(self) -> list[Return]:
        """Give up everything. Exchanges still under way keep what they reserved as spent."""
        returns = [Return(slot, seat.holding.spent, close=True) for slot, seat in self]
        for _, seat in self:
            seat.holding.amount = seat.holding.spent
            seat.holding.spent_words = {}  # They may settle later, into the void.
            if seat.supply.holding is seat.holding:
                seat.allowance.renew(seat.supply)
        self._seats.clear()
        return returns

    def close(self, *, remove: bool) -> None:
        self._journal.close(remove=remove)
