"""Those who wait for units of a grant, until the ledger has answered."""

import asyncio
from collections.abc import Callable, Sequence


class Waiter:
    """One who waits: what he tries again, and how many units of which limits that takes."""

    __slots__ = ("attempt", "future", "joined", "needs", "until")

    def __init__(
        self,
        attempt: Callable[[], object],
        needs: Sequence[tuple[int, int]],
        *,
        joined: int,
        until: float,
    ) -> None:
        self.attempt = attempt
        self.needs = needs
        self.joined = joined
        self.until = until
        self.future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
