"""What guards count, in this process: by route, by client, and what strangers send.

Everything is synchronous and costs a few dictionary look-ups. Paces are remembered for the clients
seen last, CLIENTS_MAX of them; whoever is forgotten begins anew, so a crowd of addresses costs
bounded memory and nothing else. What runs is remembered for as long as it runs.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence

from gateway.domain import errors
from gateway.domain.allowance import retry_after_s
from gateway.domain.errors import Problem, Refusal
from gateway.domain.grants import Grant
from gateway.domain.guards import Guard, Pace, binding, client_of

CLIENTS_MAX = 65_536
RETRY_RUNNING_S = 1.0
SITE = ""  # In the place of a route's id.
EVERYWHERE = ""  # In the place of a client.

Counted = tuple[str, str]
"""A route's id and a client."""


class Paces:
    """The paces of those who were seen last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free_at: OrderedDict[Counted, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._free_at)

    def wait_s(self, key: Counted, pace: Pace, now: float) -> float:
        return pace.wait_s(self._free_at.get(key, 0.0), now)

    def spend(self, paces: Iterable[tuple[Counted, Pace]], now: float) -> None:
        """One call of each."""
        for key, pace in paces:
            self._free_at[key] = pace.spend(self._free_at.get(key, 0.0), now)
            self._free_at.move_to_end(key)
            if len(self._free_at) > self._most:
                self._free_at.popitem(last=False)


class Pass:
    """A guarded call that was let in. `end` when it is over."""

    __slots__ = ("_keys", "_running", "body_bytes_max", "idle_ms")

    def __init__(self, running: dict[Counted, int], keys: Sequence[Counted]) -> None:
        self._running = running
        self._keys = keys
        self.body_bytes_max: int | None = None
        self.idle_ms: int | None = None
        for key in keys:
            running[key] = running.get(key, 0) + 1

    def end(self) -> None:
        for key in self._keys:
            left = self._running[key] - 1
            if left:
                self._running[key] = left
            else:
                del self._running[key]
        self._keys = ()


class Guarding:
    def __init__(
        self, strangers: Pace | None, clock: Callable[[], float], clients_max: int = CLIENTS_MAX
    ) -> None:
        self.refused: Counter[str] = Counter()
        """By problem type."""
        self._pace = strangers
        self._clock = clock
        # Apart: a crowd of strangers must not make us forget how fast buyers are.
        self._strangers, self._forgers, self._buyers = (Paces(clients_max) for _ in range(3))
        self._running: dict[Counted, int] = {}

    @property
    def clients(self) -> int:
        return len(self._strangers) + len(self._forgers) + len(self._buyers)

    @property
    def running(self) -> int:
        return sum(self._running.values())

    def stranger(self, address: str, route_id: str, guard: Guard | None) -> Refusal | None:
        """A call that nobody is known by: counted, and refused where there were too many."""
        own = None if guard is None else guard.client_pace
        client = client_of(address)
        paces = [
            ((place, client), pace)
            for place, pace in ((SITE, self._pace), (route_id, own))
            if pace is not None
        ]
        now = self._clock()
        wait_s = max((self._strangers.wait_s(*each, now) for each in paces), default=0.0)
        if wait_s:
            detail = "Too many calls without a valid token came from this address."
            return self._refusal(errors.TOO_MANY_FROM_HERE, detail, wait_s)
        self._strangers.spend(paces, now)
        return None

    def may_try(self, address: str) -> bool:
        """Whether a token not seen before is worth checking: not after too many bad ones."""
        if self._pace is None or not len(self._forgers):
            return True
        if not self._forgers.wait_s((SITE, client_of(address)), self._pace, self._clock()):
            return True
        self.refused[errors.TOO_MANY_FROM_HERE.slug] += 1
        return False

    def forged(self, address: str) -> None:
        if self._pace is not None:
            self._forgers.spend([((SITE, client_of(address)), self._pace)], self._clock())

    def admit(
        self, guard: Guard, route_id: str, address: str, grant: Grant, length: int | None
    ) -> Pass | Refusal:
        """A call of a valid token, before anything is reserved for it."""
        bound = binding(guard, issued_at_s=grant.issued_at, limits=grant.limits)
        here, everywhere = (route_id, client_of(address)), (route_id, EVERYWHERE)
        refusal = self._too_large(guard, length) if bound.shape else None
        keys = []
        for key, most in ((here, guard.client_concurrency), (everywhere, guard.concurrency)):
            if most is not None:
                keys.append(key)
                if bound.concurrency and self._running.get(key, 0) >= most:
                    refusal = refusal or self._busy(key, f"{most:,} calls at a time")
        if refusal is None:
            refusal = self._too_fast(guard, here, everywhere, is_bound=bound.pace)
        if refusal is not None:
            return refusal
        admitted = Pass(self._running, keys)
        if bound.shape:
            admitted.body_bytes_max, admitted.idle_ms = guard.body_bytes_max, guard.idle_ms
        return admitted

    def _too_large(self, guard: Guard, length: int | None) -> Refusal | None:
        most = guard.body_bytes_max
        if most is None or length is None or length <= most:
            return None
        return self._refusal(errors.BODY_TOO_LARGE, f"This route takes at most {most:,} bytes.")

    def _too_fast(
        self, guard: Guard, here: Counted, everywhere: Counted, *, is_bound: bool
    ) -> Refusal | None:
        now = self._clock()
        paces = [
            (key, pace)
            for key, pace in ((here, guard.client_pace), (everywhere, guard.pace))
            if pace is not None
        ]
        for key, pace in paces:
            if is_bound and (wait_s := self._buyers.wait_s(key, pace, now)):
                return self._busy(key, pace.words(), wait_s)
        self._buyers.spend(paces, now)
        return None

    def _busy(self, key: Counted, most: str, wait_s: float = RETRY_RUNNING_S) -> Refusal:
        if key[1] == EVERYWHERE:
            detail = f"This route takes {most} at most, and they are taken."
            return self._refusal(errors.ROUTE_BUSY, detail, wait_s)
        detail = f"This route takes {most} at most from one address."
        return self._refusal(errors.TOO_MANY_FROM_HERE, detail, wait_s)

    def _refusal(self, problem: Problem, detail: str, wait_s: float | None = None) -> Refusal:
        self.refused[problem.slug] += 1
        return Refusal(
            problem, detail, retry_after_s=None if wait_s is None else retry_after_s(wait_s)
        )
