"""What upstreams say about a grant beside the cost of a call, written down behind the requests.

An adjustment is booked before the answer that brought it goes on to the client, by a key of its
own, so that asking again after a lost answer of the ledger books nothing twice. A ledger that is
away holds no answer up for long: then the booking is tried again until it is there.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gateway.domain.answers import adjusted
from gateway.domain.grants import Grant
from gateway.ledgers.port import LedgerUnavailable

PATIENCE_S = 2.5
AGAIN_S = 1.0
WAITING_MAX = 1_000  # Bookings under way; more only while the ledger is away.

logger = logging.getLogger(__name__)


class Bookings(Protocol):
    """The ledger's side; called from one thread."""

    def adjust(self, grant_id: str, key: str, credits: int, *, may_take: bool) -> bool: ...  # noqa: A002
    def note_clamped(self, grant_id: str, calls: int) -> None: ...
    def close(self) -> None: ...


class Saying:
    def __init__(self, bookings: Bookings | None) -> None:
        self._bookings = bookings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bookings")
        self._clamped: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def adjust(self, grant: Grant, text: str) -> None:
        """What an answer's `ApiCharge-Adjust` says."""
        credits = adjusted(text)  # noqa: A001 - the protocol's word
        if not credits:
            logger.warning("An upstream's ApiCharge-Adjust cannot be read: %.80r.", text)
            return
        if self._bookings is None or len(self._tasks) >= WAITING_MAX:
            logger.error("%+d credits of grant %s are not booked.", credits, grant.id)
            return
        bookings, key, may_take = self._bookings, secrets.token_hex(16), grant.adjustable
        booking = self._begin(
            lambda: bookings.adjust(grant.id, key, credits, may_take=may_take), credits, grant.id
        )
        await asyncio.wait([booking], timeout=PATIENCE_S)

    def clamped(self, grant_id: str) -> None:
        """An upstream asked more than a call may cost; staff see how often."""
        if self._bookings is None or len(self._clamped) >= WAITING_MAX:
            return
        self._clamped[grant_id] += 1
        if self._clamped[grant_id] == 1:
            self._begin(lambda: self._write_clamped(grant_id), 0, grant_id)

    def _write_clamped(self, grant_id: str) -> None:
        assert self._bookings is not None
        calls = self._clamped.pop(grant_id, 0)
        logger.warning("Clamped %d calls of grant %s to their largest cost.", calls, grant_id)
        self._bookings.note_clamped(grant_id, calls)

    def _begin(self, act: Callable[[], object], credits: int, grant_id: str) -> asyncio.Task[None]:  # noqa: A002
        task = asyncio.get_running_loop().create_task(self._book(act, credits, grant_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _book(self, act: Callable[[], object], credits: int, grant_id: str) -> None:  # noqa: A002
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, act)
            except LedgerUnavailable:
                if self._closing:
                    logger.error("%+d credits of grant %s are not booked.", credits, grant_id)  # noqa: TRY400
                    return
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def stop(self) -> None:
        """What is under way is tried once more."""
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE_S)
        if self._bookings is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._bookings.close)
        self._thread.shutdown(wait=False, cancel_futures=True)
