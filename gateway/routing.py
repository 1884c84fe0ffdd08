"""The routes, keys and revocations that this process goes by, replaced whole when they change.

Read beside the requests by a `Source`; a table is compiled there and swapped here, on the loop. A
request keeps the table that it began with. While nothing can be read, what is known stays in force,
but it is no longer known that a key does not exist: unknown keys are then unavailable, not wrong.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.routes import RouteTable
from gateway.domain.tokens import AccessToken

FRESH_SECONDS = 2.0
FIRST_NEWS_SECONDS = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A whole grant, or one access token of it."""

    grant_id: str
    token_id: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """What one successful reading found: a newer table, if there is one, and revocations."""

    table: RouteTable | None
    revoked: tuple[Revoked, ...] = ()
    run_out: frozenset[str] = frozenset()
    """Grants of which nothing is left because an upstream took it."""


class Source(Protocol):
    """Reads from a thread of its own and tells of every reading that succeeded."""

    unreadable: int
    """Bodies that did not compile."""
    failures: int
    """Readings that the database did not answer."""

    def follow(self, tell: Callable[[News], None]) -> None: ...
    def close(self) -> None: ...


class Routing:
    def __init__(self, source: Source) -> None:
        self.table: RouteTable | None = None
        self.revision = 0
        """Counts the changes, of any kind: what was found in one revision holds in no other."""
        self._source = source
        self._revoked: set[Revoked] = set()
        self._heard_at: float | None = None
        self._heard = asyncio.Event()
        self._on_withdrawal: Callable[[], None] = lambda: None
        self.on_table: Callable[[RouteTable], None] = lambda _: None
        self.on_run_out: Callable[[frozenset[str]], None] = lambda _: None

    async def start(self, on_withdrawal: Callable[[], None]) -> None:
        """Wait for the first reading, but not for ever: until then every answer is 503.

        `on_withdrawal` is called when a grant, a token or a key may have been withdrawn.
        """
        self._on_withdrawal = on_withdrawal
        loop = asyncio.get_running_loop()

        def tell(news: News) -> None:
            loop.call_soon_threadsafe(self._take_over, news)

        self._source.follow(tell)
        try:
            async with asyncio.timeout(FIRST_NEWS_SECONDS):
                await self._heard.wait()
        except TimeoutError:
            logger.error("The gate starts without routes: no snapshot could be read.")  # noqa: TRY400

    async def stop(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._source.close)

    def is_fresh(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._heard_at is not None and now - self._heard_at < FRESH_SECONDS

    def is_withdrawn(self, token: AccessToken) -> bool:
        """Revoked, or signed by a key that is no longer ours."""
        if self.table is not None and token.kid not in self.table.keys:
            return True
        return bool(self._revoked) and self._is_revoked(token)

    def _is_revoked(self, token: AccessToken) -> bool:
        if Revoked(token.grant.id) in self._revoked:
            return True
        one = token.client_id
        return one is not None and Revoked(token.grant.id, one) in self._revoked

    def _take_over(self, news: News) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._heard.set()
        withdrawn = self._add(news.revoked)
        if news.table is not None:
            withdrawn |= (
                self.table is not None and not self.table.keys.items() <= news.table.keys.items()
            )
            self.table = news.table
            self.on_table(news.table)
        if withdrawn or news.table is not None:
            self.revision += 1
        if withdrawn:
            self._on_withdrawal()
        if news.run_out:
            self.on_run_out(news.run_out)

    def _add(self, revoked: Iterable[Revoked]) -> bool:
        before = len(self._revoked)
        self._revoked.update(revoked)
        return len(self._revoked) > before
