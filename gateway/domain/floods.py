"""How much of what costs a peer nothing and us something a connection may send.

Resets, pings, settings, priorities, empty frames: a client has honest reasons for some of each, now
and then many at once, and for none in a steady stream. A bucket that refills says the difference.
"""

from dataclasses import dataclass


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
