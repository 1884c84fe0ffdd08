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
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.batching import Batch
from gateway.domain.allowance import Words
from gateway.domain.tokens import Grant
from gateway.journal import boot_id
from gateway.ledgers.port import (
    RECALL_WAIT_S,
    SPEND_TIME_S,
    Drawn,
    End,
    Follower,
    Ledger,
    LedgerUnavailable,
    Node,
    NodeLost,
    Opened,
    Return,
    Settled,
    Verdict,
)
from gateway.ledgers.rates import LocalRates, Rates, boottime
from gateway.seats import Seat, Seats
from gateway.spending import Allowance
from gateway.supply import Move, Supply

TICK_S = 0.2
HEARTBEAT_S = 5.0
RECOVER_S = 2.0
RECALL_RETRY_S = RECALL_WAIT_S / 5
ALLOWANCES_MAX = 100_000  # As many as tokens are remembered.
FORGET_S = 60.0
ENDS_MAX = 10_000

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Leasing:
    def __init__(self, ledger: Ledger, journal_directory: Path, rates: Rates | None = None) -> None:
        self.clock = boottime
        self.rates: Rates = rates or LocalRates()
        self.spend_until = 0.0
        self.asked = self.recalled = self.failures = 0
        self.open = False
        self._ledger = ledger
        self._directory = journal_directory
        self._allowances: dict[str, Allowance] = {}
        self._due: set[Allowance] = set()
        self._waited_for: set[Allowance] = set()
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

    @property
    def words(self) -> Words:
        return self._seats.words

    @property
    def leases(self) -> int:
        return len(self._seats)

    async def start(self) -> None:
        """Raises LedgerUnavailable: a gate without a ledger cannot serve."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(self._thread, self._enlist)
        await self.rates.start()
        self.open = True
        self._tick()

    def _enlist(self) -> None:
        """A new node: its journal, its row, its ear for recalls."""
        if self._follower is not None:
            self._follower.close()
        node_id, boot, began_at = uuid.uuid4(), boot_id(), self.clock()
        seats = Seats(self._directory, node_id, boot)
        self._node = Node(node_id, boot, socket.gethostname(), seats.path)
        try:
            self._ledger.register(self._node)
        except BaseException:
            seats.close(remove=True)
            raise
        self._seats, self._lost = seats, False
        self._follower = self._ledger.follow(node_id, self._news_from_thread)
        self._heard_at = began_at
        self.spend_until = began_at + SPEND_TIME_S

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
        clean = await self._loop.run_in_executor(self._thread, self._leave, self._seats.leave())
        self._seats.close(remove=clean)
        self._thread.shutdown()
        for allowance in self._allowances.values():
            allowance.failed_in = self.asked + 1
            allowance.advance()
        await self.rates.stop()

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
        self._waited_for.add(allowance)
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
        if batch.transact or batch.recover:
            self.asked, self._sent = batch.number, batch
            work = self._loop.run_in_executor(self._thread, self._work, batch)
            work.add_done_callback(self._finish)
            self._busy = work
            if batch.draws and self._follower is not None:
                self._follower.attend(True)

    def _work(self, batch: Batch) -> Settled | None:
        if batch.recover:
            self._ledger.recover(self._node)
        return self._ledger.transact(self._node.id, batch.asks) if batch.transact else None

    def _batch(self) -> Batch:
        now = self.clock()
        batch = Batch(self.asked + 1, sent_at=now)
        while self._due and not batch.full:
            batch.draw(self._due.pop(), self._seats)
        while self._giving and not batch.full:
            batch.give_back(self._giving.pop(), self._seats)
        while self._ends and not batch.full:
            batch.end(self._ends.popitem()[1])
        batch.transact = bool(batch.asks) or now - self._heard_at >= HEARTBEAT_S
        if self._recover_now or now - self._recovered_at >= RECOVER_S:
            batch.recover, self._recover_now, self._recovered_at = True, False, now
        return batch

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
            self._seats.leave()
            self._seats.close(remove=True)
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
        self.failures += 1
        for seat in batch.draws.values():
            seat.supply.fail(batch.number)
            self._recalling.pop(seat.supply, None)
        for allowance in batch.allowances:
            allowance.failed_in = batch.number
        for end in batch.ends:
            self._ends.setdefault(end.grant_id, end)

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
                self._seats.free(ask.slot)

    def _open(self, allowance: Allowance, opened: Opened | None) -> None:
        if opened is None:
            allowance.missing = True
            self._allowances.pop(allowance.grant.id, None)
        else:
            allowance.open(opened.first_used_at_s)

    def _apply(self, slot: int, seat: Seat, drawn: Drawn, batch: Batch) -> None:
        supply = seat.supply
        first_recall = supply.asked == 0
        supply.apply(
            drawn, seat.holding, batch=batch.number, sent_at=batch.sent_at, now=self.clock()
        )
        if supply.quiet:
            self._await_recall(seat.allowance, supply, first=first_recall)
        else:
            self._recalling.pop(supply, None)
        if drawn.recalled:
            self.recalled += 1
            self._giving.add(slot)
        if drawn.verdict is Verdict.WINDOW_OVER and supply.holding is seat.holding:
            seat.allowance.renew(supply)
        if seat.holding.amount == 0:
            self._seats.free(slot)

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
            supply.fail(self.asked)
            del self._recalling[supply]
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
        wanted = [slot for slot in slots if slot in self._seats]
        self.recalled += len(wanted)
        self._giving.update(wanted)
        for supply, allowance in self._recalling.items():
            supply.quiet = False
            self._due.add(allowance)
        self._pump()

    def _tick(self) -> None:
        if not self.open:
            return
        now = self.clock()
        for slot, seat in self._seats:
            self._observe(slot, seat, now)
        self._waited_for = {each for each in self._waited_for if each.waiting}
        for allowance in list(self._waited_for):
            allowance.advance()
        if self._follower is not None:
            self._follower.attend(bool(len(self._seats) or self._recalling))
        if now - self._forgot_at >= FORGET_S:
            self._forgot_at = now
            self._forget(now - FORGET_S)
        self._pump()
        self._later(TICK_S, lambda _: self._tick(), None)

    def _observe(self, slot: int, seat: Seat, now: float) -> None:
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

    def _forget(self, seen_before: float) -> None:
        seated = {seat.allowance for _, seat in self._seats}
        for grant_id, allowance in list(self._allowances.items()):
            if allowance.is_idle and allowance not in seated and allowance.seen_at <= seen_before:
                del self._allowances[grant_id]
