"""Those who wait for units of a grant, until the ledger has answered."""

import asyncio
from collections.abc import Callable, Sequence

Needs = Sequence[tuple[int, int]]
"""Units by the position of their quota."""
Asks = tuple[Needs, Needs]
"""What somebody wants, and the least of it that serves him: a chunk may be cut, a call may not."""


class Waiter:
    """One who waits: what he tries again, and how many units of which limits that takes."""

    __slots__ = ("attempt", "future", "joined", "least", "needs", "until")

    def __init__(
        self,
        attempt: Callable[[], object],
        asks: Asks,
        *,
        joined: int,
        until: float,
    ) -> None:
        self.attempt = attempt
        self.needs, self.least = asks
        self.joined = joined
        self.until = until
        self.future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
