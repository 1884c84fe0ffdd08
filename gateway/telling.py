"""What the client of a grant is told with every answer: what is left of it, and until when."""

import math
from collections.abc import Callable, Sequence

from gateway.asgi import Headers, lines_of
from gateway.domain.allowance import policy_header, rate_limit_names, retry_after_s
from gateway.domain.limits import Limit
from gateway.ledgers.rates import Standing
from gateway.supply import Supply


class Telling:
    def __init__(
        self,
        limits: Sequence[Limit],
        supplies: Sequence[Supply],
        standing: Standing | None,
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy_header(limits)
        self._names = rate_limit_names(limits)
        self._supplies = supplies
        self._standing = standing
        self._clock = clock
        self._format = self._lines = b""
        self._seconds = -1
        self._expires = (b"apicharge-expires", b"")

    def headers(self, now_s: float, ends_at_s: float) -> Headers:
        """What is left as far as this node knows."""
        if (seconds := int(ends_at_s - now_s)) != self._seconds:
            self._turn(seconds, ends_at_s)
        if not self._policy:
            return [self._expires]
        left = self._format % self._left()
        return [(b"ratelimit-policy", self._policy), (b"ratelimit", left), self._expires]

    def lines(self, now_s: float, ends_at_s: float) -> bytes:
        """The same, as it stands in an answer's head."""
        if (seconds := int(ends_at_s - now_s)) != self._seconds:
            self._turn(seconds, ends_at_s)
        return self._lines % self._left()

    def _left(self) -> tuple[int, ...]:
        """The numbers in `_format`."""
        left = [each.left + each.holding.amount - each.holding.spent for each in self._supplies]
        if self._standing is not None:
            left += self._standing.told()
        return tuple(left)

    def _turn(self, seconds: int, ends_at_s: float) -> None:
        """All but the numbers, which is the same for a second."""
        self._seconds = seconds
        self._expires = (b"apicharge-expires", b"%d" % ends_at_s)
        members = []
        for supply in self._supplies:
            reset_s = max(0, seconds)
            if supply.window_until != math.inf:
                reset_s = min(reset_s, retry_after_s(supply.window_until - self._clock()))
            members.append(f'"{self._names[supply.index]}";r=%d;t={reset_s}')
        if self._standing is not None:
            members += [f'"{self._names[index]}";r=%d;t=%d' for index in self._standing.tells]
        self._format = ", ".join(members).encode()
        told = [(b"ratelimit-policy", self._policy), (b"ratelimit", self._format)]
        self._lines = lines_of([*(told if self._policy else ()), self._expires])

    def renewed(self) -> None:
        """A window began: its end is told from the next answer on."""
        self._seconds = -1
