"""What goes to the ledger together: everything that fell due while it was busy with the last."""

import logging
from dataclasses import dataclass, field

from gateway.domain.allowance import NO_SLOT
from gateway.journal import JournalFull
from gateway.ledgers.port import Ask, End, Open, Return
from gateway.seats import Seat, Seats
from gateway.spending import Allowance
from gateway.supply import Supply

ASKS_MAX = 1_000  # In one transaction: it must end well before anybody's lock timeout.

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    number: int
    sent_at: float
    asks: list[Ask] = field(default_factory=list)
    allowances: set[Allowance] = field(default_factory=set)
    draws: dict[int, Seat] = field(default_factory=dict)
    returns: list[Return] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    recover: bool = False
    transact: bool = False

    @property
    def full(self) -> bool:
        return len(self.asks) >= ASKS_MAX

    def draw(self, allowance: Allowance, seats: Seats) -> None:
        self.allowances.add(allowance)
        if not allowance.opened:
            self.asks.append(Open(allowance.grant.id))
        needs = zip(allowance.supplies, *allowance.needs(), strict=True)
        for supply, waiting, least in needs:
            wanted = supply.short_of(waiting) or (supply.ahead and not waiting)
            supply.ahead = False
            if wanted and not supply.quiet and self._seated(allowance, supply, seats):
                slot = supply.holding.slot
                self.draws[slot] = seats[slot]
                self.asks.append(supply.draw(allowance.grant.id, waiting, least, self.sent_at))

    def _seated(self, allowance: Allowance, supply: Supply, seats: Seats) -> bool:
        if supply.holding.slot != NO_SLOT:
            return True
        try:
            seats.take(allowance, supply)
        except JournalFull:
            logger.exception("More leases at once than the journal has slots.")
            supply.fail(self.number)
            return False
        return True

    def give_back(self, slot: int, seats: Seats) -> None:
        """Unless it is drawn for now: then after the answer, if it is still to go."""
        if slot in seats and slot not in self.draws:
            ask = seats.give_back(slot)
            self.returns.append(ask)
            self.asks.append(ask)

    def end(self, end: End) -> None:
        self.ends.append(end)
        self.asks.append(end)
