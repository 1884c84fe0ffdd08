"""One admitted exchange in whatever protocol: who may end it, when, and how it ended.

Whoever has a reason to end it (the watch at a deadline, a revocation, the listener when the client
left, the pump itself) calls `cut`: the first reason counts, and wakes whatever is waited for. What
the exchange does meanwhile is its protocol's: relaying.py.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Self

from gateway.asgi import Message, Receive
from gateway.domain.errors import GateFault
from gateway.domain.exchange import End, State, Step, advance
from gateway.ledgers.port import LedgerUnavailable
from gateway.terms import Terms
from gateway.watching import Watch

ADMITTED = advance(State.RECEIVED, Step.ADMIT)
SENT = advance(ADMITTED, Step.SEND)
ANSWERED = advance(SENT, Step.ANSWER)
ENDED = State.ENDED

logger = logging.getLogger(__name__)


class Exchange:
    # Class attributes: most exchanges never change them, and setting each would cost every call.
    end: End | None = None
    detail = ""
    state: State = ADMITTED
    status: int | None = None
    """The answer's."""
    said: str | None = None
    """What the upstream says that it cost."""
    has_served = False
    """Something was passed on, to either side."""
    is_answered = False
    """The client has got the beginning of an answer."""
    waiting_since: float | None = None
    """Since when the upstream, and nobody else, keeps us waiting."""
    owing_since: float | None = None
    """Since when the client, and nobody else, does; told only where that is guarded."""
    answered_at: float | None = None
    bytes_up = bytes_down = messages = undecodable = 0
    listener: asyncio.Task[None] | None = None
    _cuts = 0
    _ends_at: tuple[float, End] | None = None

    def __init__(self, receive: Receive, terms: Terms) -> None:
        self._receive = receive
        self.terms = terms

    async def run(
        self, work: Awaitable[None], watch: Watch, tell: Callable[[Self], Awaitable[None]]
    ) -> None:
        """Until `end` is set; `tell` whoever can still hear it of any end but a completed exchange.

        Only a cancellation from outside is raised.
        """
        # Finding the running loop is a system call (getpid), so it is told.
        loop = watch.loop
        task = asyncio.current_task(loop)
        assert task is not None
        self._task = task
        self.began_at = loop.time()
        watch.add(self)
        try:
            await work
        except asyncio.CancelledError:
            self.end = self.end or End.CLOSING
            if not self._cuts or self._foreign_cancellations() > 0:
                raise
        except GateFault as fault:
            self.end, self.detail = self.end or fault.end, fault.detail
        except LedgerUnavailable:
            self.end = self.end or self.ledger_end()
        except ConnectionError:  # The server's: what the upstream does is a fault of the gate's.
            self.end = self.end or End.CLIENT_GONE
        except Exception:  # A bug ends this exchange, told and settled, and nothing else.
            logger.exception("An exchange failed.")
            self.end = self.end or End.FAULT
        finally:
            watch.remove(self)
            self._settle()
            watch.note(self)
        if self.end is not End.COMPLETED:
            await tell(self)

    def _settle(self) -> None:
        if self.listener is not None:
            self.listener.cancel()
        assert self.end is not None
        self.terms.settle(self.end, self.state, self.status, self.said)
        if self.end is End.CLIENT_GONE:
            self.terms.allowance.rest()
        self.state = ENDED

    def _foreign_cancellations(self) -> int:
        while self._cuts > 1:
            self._cuts -= 1
            self._task.uncancel()
        return self._task.uncancel()

    def ledger_end(self) -> End:
        return End.LEDGER_LOST if self.has_served else End.LEDGER_UNAVAILABLE

    async def listen(self) -> None:
        """Take what the client sends as it is passed on, then wait for the client to leave."""
        try:
            while not (message := await self._receive())["type"].endswith(".disconnect"):
                await self.hear(message)
            self.leave(message)
        except GateFault as fault:
            self.cut(fault.end, fault.detail)
        except LedgerUnavailable:
            self.cut(self.ledger_end())
        except Exception:  # Else the task group would end with it, and every other listener.
            logger.exception("Reading a request failed.")
            self.cut(End.FAULT)

    async def hear(self, message: Message) -> None:
        """What the client sent; of itself an exchange waits for nothing."""

    def leave(self, message: Message) -> None:  # noqa: ARG002 - how it left is some protocols' matter
        """The client has left."""
        self.cut(End.CLIENT_GONE)

    def cut(self, end: End, detail: str = "") -> None:
        if self.end is None:
            self.end, self.detail = end, detail
            self._cancel()

    def _cancel(self) -> None:
        self._cuts += 1
        self._task.cancel()

    def look(self, now: float) -> float:
        """What the passing of time asks for, several times a second; when the exchange ends."""
        if self._ends_at is None:
            # By the loop's clock, which no step of the wall clock moves.
            seconds, reason = self.terms.ends_in()
            self._ends_at = self.began_at + seconds, reason
        ends_at, end = self._ends_at
        if self._cuts:
            self._cancel()  # Again: the last one met an answer of the upstream's, and was lost.
        elif now >= ends_at:
            self.cut(end)
        elif (overdue := self._overdue(now)) is not None:
            self.cut(overdue)
        return ends_at

    def _overdue(self, now: float) -> End | None:
        """Whoever keeps us waiting for longer than he may."""
        if self.waiting_since is not None:
            waited_ms = (now - self.waiting_since) * 1000
            if self.state is ANSWERED and waited_ms >= self.terms.timeouts.idle_ms:
                return End.UPSTREAM_STALLED
            if self.state is SENT and waited_ms >= self.terms.timeouts.first_byte_ms:
                return End.UPSTREAM_SILENT
        elif self.owing_since is not None and self.terms.idle_ms is not None:
            waited_ms = (now - self.owing_since) * 1000
            if waited_ms >= self.terms.idle_ms:
                return End.REQUEST_STALLED
        return None
