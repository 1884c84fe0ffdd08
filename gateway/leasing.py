"""This node's leases: one desk per process between the requests and the ledger.

Everything here runs on the event loop, except the ledger's own calls, which one dedicated thread
makes. What falls due while that thread works goes into its next transaction, all together. The
order that makes crashes harmless:

- units are spent from a lease only once the ledger's answer has arrived;
- they are written in the journal before they are served;
- what is given back is unspendable here before the ledger is told;
- a journal slot is used again only after the ledger has confirmed that its lease is gone.
"""

import asyncio
import logging
import math
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway.domain.allowance import NO_SLOT, Holding
from gateway.domain.tokens import Grant
from gateway.journal import Journal, JournalFull, boot_id
from gateway.ledgers.port import (
    RECALL_WAIT_S,
    SPEND_TIME_S,
    Ask,
    Drawn,
    End,
    Follower,
    Ledger,
    LedgerUnavailable,
    Node,
    NodeLost,
    Open,
    Opened,
    Return,
    Settled,
    Verdict,
)
from gateway.spending import Allowance
from gateway.supply import Move, Supply, give_back

TICK_S = 0.2
HEARTBEAT_S = 5.0
RECOVER_S = 2.0
RECALL_RETRY_S = RECALL_WAIT_S / 5
ALLOWANCES_MAX = 100_000  # As many as tokens are remembered.
FORGET_S = 60.0
ENDS_MAX = 10_000
BATCH_MAX = 1_000  # Asks in one transaction: it must end well before anybody's lock timeout.

T = TypeVar("T")
logger = logging.getLogger(__name__)


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Slotted:
    """Who uses a slot of the journal."""

    allowance: Allowance
    supply: Supply
    holding: Holding


@dataclass(slots=True)
class Batch:
    sent_at: float
    asks: list[Ask] = field(default_factory=list)
    allowances: set[Allowance] = field(default_factory=set)
    draws: dict[int, Slotted] = field(default_factory=dict)
    returns: list[Return] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    number: int = 0
    recover: bool = False
    transact: bool = True


class Leasing:
    def __init__(self, ledger: Ledger, journal_directory: Path) -> None:
        self.clock = boottime
        self.spend_until = 0.0
        self.asked = 0
        self.open = False
        self._ledger = ledger
        self._directory = journal_directory
        self._allowances: dict[str, Allowance] = {}
        self._slots: dict[int, Slotted] = {}
        self._due: set[Allowance] = set()
        self._recalling: dict[Supply, Allowance] = {}
        self._giving: set[int] = set()
        self._ends: dict[str, End] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._busy: asyncio.Future[Settled | None] | asyncio.Future[None] | None = None
        self._sent: Batch | None = None
        self._lost = False
        self._follower: Follower | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._heard_at = self._recovered_at = 0.0
        self._forgot_at = self.clock()
        self._recover_now = True

    async def start(self) -> None:
        """Raises LedgerUnavailable: a gate without a ledger cannot serve."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(self._thread, self._enlist)
        self.open = True
        self._tick()

    def _enlist(self) -> None:
        if self._follower is not None:
            self._follower.close()
        node_id, boot = uuid.uuid4(), boot_id()
        began_at = self.clock()
        self._journal = Journal(self._directory, node_id, boot)
        self._node = Node(node_id, boot, socket.gethostname(), self._journal.path)
        try:
            self._ledger.register(self._node)
            self._follower = self._ledger.follow(node_id, self._news_from_thread)
        except BaseException:
            self._journal.close(remove=True)
            raise
        self.words = self._journal.words
        self._heard_at = began_at
        self.spend_until = began_at + SPEND_TIME_S
        self._lost = False

    async def stop(self) -> None:
        """Give everything back. What is still reserved by open exchanges stays charged."""
        if not self.open:
            return
        self.open = False
        self.spend_until = 0.0
        for timer in self._timers:
            timer.cancel()
        while self._busy is not None:
            await asyncio.wait([self._busy])
        returns = [Return(slot, held.holding.spent, True) for slot, held in self._slots.items()]
        self._abandon_holdings()
        clean = await self._loop.run_in_executor(self._thread, self._leave, returns)
        self._journal.close(remove=clean)
        self._thread.shutdown()
        for allowance in self._allowances.values():
            allowance.failed_in = self.asked + 1
            allowance.advance()

    def _leave(self, returns: Sequence[Return]) -> bool:
        if self._follower is not None:
            self._follower.close()
        try:
            if self._ends:
                self._ledger.transact(self._node.id, list(self._ends.values()))
            self._ledger.leave(self._node.id, returns)
        except (LedgerUnavailable, NodeLost):
            logger.warning("The ledger is not there: another process will return our leases.")
            return False
        finally:
            self._ledger.close()
        return True

    def allowance(self, grant: Grant) -> Allowance:
        allowance = self._allowances.get(grant.id)
        if allowance is None:
            if len(self._allowances) >= ALLOWANCES_MAX:
                self._forget(math.inf)
            allowance = self._allowances[grant.id] = Allowance(grant, self)
        return allowance

    def record_end(self, grant_id: str, reason: str, at_s: float) -> None:
        if len(self._ends) < ENDS_MAX:
            self._ends[grant_id] = End(grant_id, reason[:64], at_s)

    def ask(self, allowance: Allowance) -> None:
        self._due.add(allowance)
        self._pump()

    def _pump(self) -> None:
        """Send what is due, unless the thread is at work; then it goes when that is done."""
        if self._busy is not None or not self.open:
            return
        if self._lost:
            enlisting = self._loop.run_in_executor(self._thread, self._enlist)
            enlisting.add_done_callback(self._enlisted)
            self._busy = enlisting
            return
        batch = self._batch()
        batch.transact = bool(batch.asks) or self.clock() - self._heard_at >= HEARTBEAT_S
        if batch.transact or batch.recover:
            self.asked += 1
            batch.number, self._sent = self.asked, batch
            work = self._loop.run_in_executor(self._thread, self._work, batch)
            work.add_done_callback(self._finish)
            self._busy = work

    def _work(self, batch: Batch) -> Settled | None:
        if batch.recover:
            self._ledger.recover(self._node)
        return self._ledger.transact(self._node.id, batch.asks) if batch.transact else None

    def _batch(self) -> Batch:
        batch = Batch(sent_at=self.clock())
        while self._due and len(batch.asks) < BATCH_MAX:
            self._collect(self._due.pop(), batch)
        while self._giving and len(batch.asks) < BATCH_MAX:
            slot = self._giving.pop()
            if slot in self._slots and slot not in batch.draws:
                batch.returns.append(self._give_back(self._slots[slot]))
                batch.asks.append(batch.returns[-1])
        batch.ends = list(self._ends.values())
        self._ends.clear()
        batch.asks.extend(batch.ends)
        if self._recover_now or batch.sent_at - self._recovered_at >= RECOVER_S:
            batch.recover, self._recover_now = True, False
            self._recovered_at = batch.sent_at
        return batch

    def _collect(self, allowance: Allowance, batch: Batch) -> None:
        grant_id = allowance.grant.id
        batch.allowances.add(allowance)
        if not allowance.opened:
            batch.asks.append(Open(grant_id))
        for supply, waiting in zip(allowance.supplies, allowance.needs(), strict=True):
            wanted = supply.short_of(waiting) or (supply.ahead and not waiting)
            supply.ahead = False
            if not wanted or supply.quiet:
                continue
            if supply.holding.slot == NO_SLOT and not self._seat(allowance, supply):
                continue
            slot = supply.holding.slot
            batch.draws[slot] = self._slots[slot]
            batch.asks.append(supply.draw(grant_id, waiting))

    def _seat(self, allowance: Allowance, supply: Supply) -> bool:
        try:
            slot = self._journal.take_slot()
        except JournalFull:
            logger.exception("More leases than the journal has slots.")
            self._rule_unavailable(supply, self.asked + 1)
            return False
        supply.holding.slot = slot
        supply.holding.spent_words = self.words
        self._slots[slot] = Slotted(allowance, supply, supply.holding)
        if self._follower is not None:
            self._follower.attend(True)
        return True

    def _give_back(self, seat: Slotted) -> Return:
        ask = give_back(seat.holding)
        if ask.close and seat.supply.holding is seat.holding:
            seat.allowance.renew(seat.supply)
        return ask

    def _finish(self, work: "asyncio.Future[Settled | None]") -> None:
        batch, self._busy, self._sent = self._sent, None, None
        assert batch is not None
        try:
            settled = work.result()
        except LedgerUnavailable:
            self._failed(batch)
        except NodeLost:
            logger.exception("This node was written off; it starts anew with no leases.")
            self._lost = True
            self._abandon_holdings()
            self._journal.close(remove=True)
            self._failed(batch)
        else:
            if settled is not None:
                self._take_over(batch, settled)
        for allowance in batch.allowances:
            allowance.advance()
        self._pump()

    def _enlisted(self, work: "asyncio.Future[None]") -> None:
        self._busy = None
        try:
            work.result()
        except LedgerUnavailable:
            return  # The next tick tries again; until then every answer is 503.
        self._pump()

    def _failed(self, batch: Batch) -> None:
        """Returns need nothing here: their slots stay taken, and the tick sends them again."""
        for seat in batch.draws.values():
            self._rule_unavailable(seat.supply, batch.number)
        for allowance in batch.allowances:
            allowance.failed_in = batch.number
        for end in batch.ends:
            self._ends.setdefault(end.grant_id, end)

    def _rule_unavailable(self, supply: Supply, number: int) -> None:
        supply.fail()
        supply.ruled_in = number
        self._recalling.pop(supply, None)

    def _take_over(self, batch: Batch, settled: Settled) -> None:
        self._heard_at = batch.sent_at - settled.heartbeat_age_s
        self.spend_until = self._heard_at + SPEND_TIME_S
        for allowance in batch.allowances:
            if allowance.grant.id in settled.opened:
                self._open(allowance, settled.opened[allowance.grant.id])
        for slot, seat in batch.draws.items():
            self._apply(slot, seat, settled.drawn[slot], batch)
        for ask in batch.returns:
            if ask.close:
                self._unseat(ask.slot)

    def _open(self, allowance: Allowance, opened: Opened | None) -> None:
        if opened is None:
            allowance.missing = True
            self._allowances.pop(allowance.grant.id, None)
        else:
            allowance.open(opened.first_used_at_s)

    def _apply(self, slot: int, seat: Slotted, drawn: Drawn, batch: Batch) -> None:
        supply = seat.supply
        first_recall = supply.asked == 0
        supply.apply(drawn, seat.holding, sent_at=batch.sent_at, now=self.clock())
        supply.ruled_in = batch.number
        if supply.quiet:
            self._await_recall(seat.allowance, supply, first=first_recall)
        else:
            self._recalling.pop(supply, None)
        if drawn.recalled:
            self._giving.add(slot)
        if drawn.verdict is Verdict.WINDOW_OVER and supply.holding is seat.holding:
            seat.allowance.renew(supply)
        if seat.holding.amount == 0:
            self._unseat(slot)

    def _unseat(self, slot: int) -> None:
        """The ledger has no lease in this slot: it is free for another."""
        self._slots.pop(slot).holding.slot = NO_SLOT
        self._journal.free_slot(slot)

    def _await_recall(self, allowance: Allowance, supply: Supply, *, first: bool) -> None:
        self._recalling[supply] = allowance
        self._later(RECALL_RETRY_S, self._news, ())
        if first:
            self._recover_now = True  # What nobody answers for may belong to the dead.
            self._later(RECALL_WAIT_S, self._recall_over, supply)

    def _recall_over(self, supply: Supply) -> None:
        allowance = self._recalling.get(supply)
        if allowance is not None and self.clock() >= supply.recall_until:
            self.asked += 1
            self._rule_unavailable(supply, self.asked)
            allowance.advance()

    def _later(self, delay_s: float, act: Callable[[T], None], about: T) -> None:
        def run() -> None:
            self._timers.discard(timer)
            act(about)

        timer = self._loop.call_later(delay_s, run)
        self._timers.add(timer)

    def _news_from_thread(self, slots: Sequence[int]) -> None:
        if self.open:
            self._loop.call_soon_threadsafe(self._news, slots)

    def _news(self, slots: Sequence[int]) -> None:
        """Some of our leases are wanted elsewhere, or what we wait for may have come."""
        self._giving.update(slot for slot in slots if slot in self._slots)
        for supply, allowance in self._recalling.items():
            supply.quiet = False
            self._due.add(allowance)
        self._pump()

    def _tick(self) -> None:
        if not self.open:
            return
        now = self.clock()
        for slot, seat in self._slots.items():
            self._observe(slot, seat, now)
        behind = self._sent.allowances if self._sent is not None else set()
        for allowance in self._due | behind:
            if allowance.waiting:
                allowance.advance()
        if self._follower is not None:
            self._follower.attend(bool(self._slots))
        if now - self._forgot_at >= FORGET_S:
            self._forgot_at = now
            self._forget(now - FORGET_S)
        self._pump()
        self._later(TICK_S, lambda _: self._tick(), None)

    def _observe(self, slot: int, seat: Slotted, now: float) -> None:
        supply, holding = seat.supply, seat.holding
        if supply.holding is not holding:
            if holding.held or not holding.open:
                self._giving.add(slot)
            return
        move = supply.observe(now)
        if move is Move.GIVE_BACK and not seat.allowance.waiting:
            self._giving.add(slot)
        elif move is Move.DRAW_AHEAD:
            supply.ahead = True
            self._due.add(seat.allowance)

    def _abandon_holdings(self) -> None:
        """Nothing of them is ours any more; exchanges still under way may settle into the void."""
        for seat in self._slots.values():
            seat.holding.amount = seat.holding.spent
            seat.holding.spent_words = {}
            if seat.supply.holding is seat.holding:
                seat.allowance.renew(seat.supply)
        self._slots.clear()

    def _forget(self, seen_before: float) -> None:
        seated = {seat.allowance for seat in self._slots.values()}
        for grant_id, allowance in list(self._allowances.items()):
            idle = allowance not in seated and not allowance.waiting
            if idle and allowance.seen_at <= seen_before:
                del self._allowances[grant_id]
