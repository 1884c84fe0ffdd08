"""What was done, counted beside the requests and written down behind them.

A request adds to the line of its grant, or to that of a route where nobody was identified, and
never waits. Every few seconds, and when a minute is over, lines are closed and written in batches
of bounded size, each of them exactly once, however often it has to be tried, and never more often
than a small part of a core can do. Meanwhile closed lines wait and add up, LINES_MAX of them; what
is more is dropped, and counted.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from gateway.domain.chronicle import MINUTE_S, Call, Fields, Key, Line, Whose, newest
from gateway.domain.exchange import UPSTREAM_FAILURES, End
from gateway.ledgers.port import LedgerUnavailable
from gateway.watching import Watched

TICK_S = 1.0
WRITE_S = 5.0
ERROR_MIN = 500
COMPLETED = End.COMPLETED
LINES_MAX = 20_000
BATCH_LINES = 400
RECENT_PER_BATCH = 400
WRITE_SHARE = 0.02
"""Of one core, at most, however many grants are used: then lines wait, and add up, for longer."""
PATIENCE_S = 3.0
"""For the last lines, when the process ends."""

logger = logging.getLogger(__name__)


class Unwritable(Exception):
    """The database refuses this batch, and would again."""


@dataclass(frozen=True, slots=True)
class Entry:
    key: Key
    line: Line
    recent: Sequence[Call]
    """Those of the line's latest calls that are written."""


class Books(Protocol):
    """The database's side; called from one thread."""

    def write(self, number: int, entries: Sequence[Entry]) -> None:
        """Raises LedgerUnavailable: to be tried again under its number. Or Unwritable."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Batch:
    number: int
    entries: Sequence[Entry]


class Chronicle:
    def __init__(
        self, books: Books | None, now: Callable[[], float] = time.time, write_s: float = WRITE_S
    ) -> None:
        self.total = Line()
        """Of this process, as of the last tick."""
        self.undecodable = 0
        """Headers of answers that are no text, and were left out."""
        self.dropped_calls = self.written_lines = self.failures = 0
        self._books = books
        self._now = now
        self._write_s = write_s
        self._open: dict[Whose, Line] = {}
        self._minute = 0
        self._closed: dict[Key, Line] = {}
        self._unsent: _Batch | None = None
        self._numbers = 0
        self._written_at = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chronicle")
        self._closing = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    def note(self, exchange: Watched) -> None:
        """An exchange that has ended."""
        terms, end, status = exchange.terms, exchange.end, exchange.status
        assert end is not None
        if exchange.undecodable:
            self.undecodable += exchange.undecodable
        found, answered_at = terms.found, exchange.answered_at
        reservation, line = terms.reservation, self._open.get(found.whose)
        if line is None:
            line = self._open[found.whose] = Line()
        line.called(
            (
                terms.now_s,
                found.method,
                found.match.path,
                status,
                end,
                exchange.bytes_up,
                exchange.bytes_down,
                reservation.credits,
                exchange.messages or reservation.events,
                None if answered_at is None else answered_at - exchange.began_at,
                (status is not None and status >= ERROR_MIN)
                or (end is not COMPLETED and end in UPSTREAM_FAILURES),
                found.token.client_id,
            )
        )

    def called(self, whose: Whose, call: Fields) -> None:
        line = self._open.get(whose)
        if line is None:
            line = self._open[whose] = Line()
        line.called(call)

    def refused(self, whose: Whose, reason: str) -> None:
        line = self._open.get(whose)
        if line is None:
            line = self._open[whose] = Line()
        line.refused(reason)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._minute = int(self._now() // MINUTE_S)
        self._written_at = self._loop.time()
        self._ticking = self._loop.create_task(self._tick())

    async def stop(self) -> None:
        """What is left is tried once more."""
        ticking, self._ticking = self._ticking, None
        if ticking is None:
            return
        ticking.cancel()
        self._closing.set()
        self._close_lines()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=PATIENCE_S)
        if self._writing is None or self._writing.done():
            self._writing = self._loop.create_task(self._write())
            await asyncio.wait([self._writing], timeout=PATIENCE_S)
        if self._books is not None:
            closing = self._loop.run_in_executor(self._thread, self._books.close)
            await asyncio.wait([closing], timeout=PATIENCE_S)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = self._loop.time()
            is_due = now - self._written_at >= self._write_s
            minute = int(self._now() // MINUTE_S)
            if is_due or minute != self._minute:
                self._close_lines()
                self._minute = minute
            if is_due and (self._writing is None or self._writing.done()):
                self._written_at = now
                self._writing = self._loop.create_task(self._write())

    def _close_lines(self) -> None:
        lines, self._open = self._open, {}
        for whose, line in lines.items():
            self.total.add(line)
            if self._books is None:
                continue
            key = Key(self._minute, *whose)
            if (known := self._closed.get(key)) is not None:
                known.add(line)
            elif len(self._closed) < LINES_MAX:
                self._closed[key] = line
            else:
                self.dropped_calls += _count(line)

    async def _write(self) -> None:
        """All that is closed, until a batch fails; that one is the next to be tried."""
        if self._books is None:
            return
        while batch := self._next():
            began_at = self._loop.time()
            try:
                spent_s = await self._loop.run_in_executor(self._thread, _timed, self._books, batch)
            except LedgerUnavailable:
                self.failures += 1
                logger.warning("Usage cannot be written now.", exc_info=True)
                return
            except Unwritable:
                logger.exception("Usage of %d lines is lost.", len(batch.entries))
                self.dropped_calls += sum(_count(entry.line) for entry in batch.entries)
                spent_s = self._loop.time() - began_at
            else:
                self.written_lines += len(batch.entries)
            self._unsent = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(spent_s / WRITE_SHARE):
                    await self._closing.wait()

    def _next(self) -> "_Batch | None":
        """The batch that is not known to be in, or else the oldest lines. The others still add."""
        if self._unsent is None and self._closed:
            some = list(islice(self._closed.items(), BATCH_LINES))
            for key, _ in some:
                del self._closed[key]
            recent = newest([line for _, line in some], RECENT_PER_BATCH)
            entries = [
                Entry(key, line, calls) for (key, line), calls in zip(some, recent, strict=True)
            ]
            self._numbers += 1
            self._unsent = _Batch(self._numbers, entries)
        return self._unsent


def _timed(books: Books, batch: _Batch) -> float:
    """Seconds of this thread's own; the gate has one core for all of them."""
    began = time.thread_time()
    books.write(batch.number, batch.entries)
    return time.thread_time() - began


def _count(line: Line) -> int:
    return line.calls + sum(line.refusals.values())
