"""When ledgers close.

Close times are whole seconds that never go back. Unlike on the real network several ledgers may
close within one second: tests close every 50 ms, and the ledger's clock must stay the world's.
"""

import asyncio
import time
from collections.abc import Callable

CLOSE_MS_DEFAULT = 1_000
CLOSE_MS_LEAST = 10


def close_time(now_s: float, previous: int) -> int:
    return max(previous, int(now_s))


async def keep_closing(close: Callable[[float], None], interval_ms: int) -> None:
    """Call `close` every `interval_ms`; after a stall once, not once per missed ledger."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + interval_ms / 1000, loop.time())
        await asyncio.sleep(due - loop.time())
        close(time.time())
