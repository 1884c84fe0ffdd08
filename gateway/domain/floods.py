"""How much of what costs a peer nothing and us something a connection may send.

Resets, pings, settings, priorities, empty frames: a client has honest reasons for some of each, now
and then many at once, and for none in a steady stream. A bucket that refills says the difference.

A body in small pieces costs little of it, and less where messages are sent as they come to be.
"""

from dataclasses import dataclass

SMALL_BYTES = 256
SMALL_COST, LIVE_COST = 0.05, 0.01
LATE_COST = 0.25
"""A window of it may be on its way when its stream is ended: four pieces of the usual size."""


@dataclass(slots=True)
class Patience:
    """`burst` at once, `per_second` for ever."""

    burst: float
    per_second: float
    left: float
    at: float

    @staticmethod
    def of(burst: float, per_second: float, now: float) -> "Patience":
        return Patience(burst, per_second, burst, now)

    def bears(self, now: float, *, cost: float = 1.0) -> bool:
        """Whether one more is borne; what is not, costs as well."""
        elapsed = max(0.0, now - self.at)
        self.left = min(self.burst, self.left + elapsed * self.per_second) - cost
        self.at = now
        return self.left >= 0


def cost_of_piece(size: int, *, is_live: bool) -> float:
    """In the middle of a body."""
    if size >= SMALL_BYTES:
        return 0.0
    if not size:
        return 1.0
    return LIVE_COST if is_live else SMALL_COST


def cost_of_late(size: int) -> float:
    """For a stream that is over."""
    return LATE_COST if size >= SMALL_BYTES else 1.0
