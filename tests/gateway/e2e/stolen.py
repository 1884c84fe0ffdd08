"""Time that other processes of this machine took, which a test that measures must not count.

What this process itself spends (its own processor time) is never forgiven, so a gate that holds up
its loop still fails.
"""

import asyncio
import time

STEP_S = 0.01
NOTED_S = 0.02  # Timers are that late without anybody's fault.


class Stolen:
    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = []

    async def watch(self) -> None:
        while True:
            began, cpu = time.monotonic(), time.process_time()
            await asyncio.sleep(STEP_S)
            now = time.monotonic()
            late = now - began - STEP_S - (time.process_time() - cpu)
            if late > NOTED_S:
                self._times.append((now, late))

    def elapsed(self, began: float) -> float:
        """Seconds since then, by the monotonic clock, of which this process could make use."""
        taken = sum(late for at, late in self._times if at > began)
        return time.monotonic() - began - taken

    def elapsed_since(self, wall_s: float) -> float:
        return self.elapsed(time.monotonic() - (time.time() - wall_s))
