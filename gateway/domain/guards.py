"""Guards: what a route takes from anybody, paid or not, so that nobody can wear it out.

A guard never takes away what was sold. It counts every paid call, but refuses one only where the
grant was issued after the guard was set, and sold nothing of that kind itself: who bought a `rate`
is held to that rate alone, who bought a `concurrency` to that concurrency.

What strangers send is counted apart from paid calls, so that it never takes a buyer's room.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from gateway.domain import reading
from gateway.domain.limits import Limit

COUNT_MAX = 1_000_000_000
WINDOW_S_MAX = 86_400
BODY_BYTES_MAX = 2**53 - 1
IDLE_MS_MAX = 3_600_000
ROUNDING_S = 1e-6
IPV6_PREFIX_BITS = 64  # Whoever has one address of it has them all.


@dataclass(frozen=True, slots=True)
class Pace:
    """So many calls at once, and as many again, evenly, over each window.

    The whole state is the moment at which all of them are free again; 0.0 is nobody's.
    """

    count: int
    window_s: int

    def wait_s(self, free_at: float, now: float) -> float:
        """Until one more call has room; 0.0: it has."""
        wait = free_at - now - self.window_s * (1 - 1 / self.count)
        return wait if wait > ROUNDING_S else 0.0

    def spend(self, free_at: float, now: float) -> float:
        """The state after one more call. What has no room adds nothing beyond a full window."""
        return min(max(free_at, now) + self.window_s / self.count, now + self.window_s)

    def words(self) -> str:
        return f"{self.count:,} calls in {self.window_s:,} s"


@dataclass(frozen=True, slots=True)
class Guard:
    """What one route is guarded by; None: nothing."""

    since_s: int = 0
    """Grants that were issued earlier are not bound."""
    client_pace: Pace | None = None
    client_concurrency: int | None = None
    pace: Pace | None = None
    concurrency: int | None = None
    body_bytes_max: int | None = None
    idle_ms: int | None = None
    """For how long a client may send nothing of a body, or nobody anything on a WebSocket."""

    @property
    def is_set(self) -> bool:
        return any(value is not None for value in self.values)

    @property
    def counts_running(self) -> bool:
        return self.concurrency is not None or self.client_concurrency is not None

    @property
    def values(self) -> tuple[object, ...]:
        paces = (self.client_pace, self.pace)
        running = (self.client_concurrency, self.concurrency)
        return (*paces, *running, self.body_bytes_max, self.idle_ms)

    def words(self) -> list[str]:
        """For whoever thinks of buying."""
        said = []
        if self.client_pace is not None:
            said.append(f"at most {self.client_pace.words()} from one address")
        if self.client_concurrency is not None:
            said.append(f"at most {self.client_concurrency:,} at a time from one address")
        if self.pace is not None:
            said.append(f"at most {self.pace.words()} from all together")
        if self.concurrency is not None:
            said.append(f"at most {self.concurrency:,} at a time from all together")
        if self.body_bytes_max is not None:
            said.append(f"request bodies of at most {self.body_bytes_max:,} bytes")
        if self.idle_ms is not None:
            said.append(f"no silence of more than {self.idle_ms / 1000:g} s in a body or WebSocket")
        return said


@dataclass(frozen=True, slots=True)
class Binding:
    """Which kinds of guards may refuse a call of a grant."""

    pace: bool
    concurrency: bool
    shape: bool
    """Of the request: its size, its silences."""


UNBOUND = Binding(pace=False, concurrency=False, shape=False)


def binding(guard: Guard, *, issued_at_s: int, limits: Iterable[Limit]) -> Binding:
    if issued_at_s < guard.since_s:
        return UNBOUND
    sold = {limit.kind for limit in limits}
    return Binding(pace="rate" not in sold, concurrency="concurrency" not in sold, shape=True)


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"{int(found) >> IPV6_PREFIX_BITS:016x}::/{IPV6_PREFIX_BITS}"
    return str(getattr(found, "ipv4_mapped", None) or found)


def read_guard(entry: reading.Object, default: Guard) -> Guard:
    """A route's guards, each where it has none of its own the service's (`default`)."""
    said = entry.optional_part("guards")
    return Guard(
        since_s=max(default.since_s, said.integer("since", 0)),
        client_pace=_pace(said, "client_requests", "client_window_s") or default.client_pace,
        client_concurrency=_count(said, "client_concurrency") or default.client_concurrency,
        pace=_pace(said, "requests", "window_s") or default.pace,
        concurrency=_count(said, "concurrency") or default.concurrency,
        body_bytes_max=_count(said, "body_bytes") or default.body_bytes_max,
        idle_ms=_count(said, "idle_ms") or default.idle_ms,
    )


def _count(said: reading.Object, name: str) -> int | None:
    if said.unread.get(name) is None:
        return None
    count = said.integer(name)
    if count < 1:
        raise said.wrong(f"{name} is below 1")
    return count


def _pace(said: reading.Object, count: str, window: str) -> Pace | None:
    calls, seconds = _count(said, count), _count(said, window)
    if calls is None:
        return None
    if seconds is None:
        raise said.wrong(f"{window} is missing")
    return Pace(calls, seconds)


def tightens(after: Guard, before: Guard) -> bool:
    """Whether something that was let in before could be refused now."""
    return (
        _is_slower(after.client_pace, before.client_pace)
        or _is_slower(after.pace, before.pace)
        or any(
            new is not None and (old is None or new < old)
            for new, old in (
                (after.client_concurrency, before.client_concurrency),
                (after.concurrency, before.concurrency),
                (after.body_bytes_max, before.body_bytes_max),
                (after.idle_ms, before.idle_ms),
            )
        )
    )


def _is_slower(after: Pace | None, before: Pace | None) -> bool:
    if after is None or before is None:
        return after is not None
    return after.count < before.count or (
        after.count * before.window_s < before.count * after.window_s
    )
