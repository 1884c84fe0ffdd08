"""Several limits as one.

An admission reserves what each limit asks, or nothing at all: the first pass looks, the second
takes. What is reserved counts as spent, in the journal too, until the exchange is settled to its
real cost; so a crash charges what was under way and never grants it twice.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.domain.limits import Calls, Credits, Limit, Quota
from gateway.domain.schedules import Schedule

NO_SLOT = -1


class Why(StrEnum):
    EXHAUSTED = "exhausted"
    WINDOW_EXHAUSTED = "window_exhausted"
    GRANT_EXPIRED = "grant_expired"
    NO_LEDGER = "no_ledger"
    RATE = "rate"
    CONCURRENCY = "concurrency"
    SCHEDULE = "schedule"


STATUS = {
    Why.EXHAUSTED: 402,
    Why.WINDOW_EXHAUSTED: 429,
    Why.GRANT_EXPIRED: 402,
    Why.NO_LEDGER: 401,
    Why.RATE: 429,
    Why.CONCURRENCY: 429,
    Why.SCHEDULE: 429,
}


@dataclass(frozen=True, slots=True)
class Refused:
    why: Why
    limit: Limit | None = None
    retry_after_s: int | None = None

    @property
    def status(self) -> int:
        return STATUS[self.why]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The ledger could not say: 503, never 402."""

    retry_after_s: int = 1
    status: int = 503


class Words(Protocol):
    """Where the units spent are written down before they are served: the journal."""

    def __setitem__(self, slot: int, spent: int, /) -> None: ...


class Holding:
    """What this node leased of one limit, in one window: `amount`, of which `spent` is gone."""

    __slots__ = ("amount", "limit", "open", "slot", "spent", "spent_words", "window")

    def __init__(self, limit: Quota, spent_words: Words) -> None:
        self.limit = limit
        self.spent_words = spent_words
        self.slot = NO_SLOT
        self.window: int | None = None
        self.amount = 0
        self.spent = 0
        self.open = 0  # Reservations that may still give back.

    @property
    def held(self) -> int:
        return self.amount - self.spent

    def spend(self, units: int) -> None:
        spent = self.spent + units
        assert spent <= self.amount
        self.spent_words[self.slot] = spent
        self.spent = spent

    def unspend(self, units: int) -> None:
        spent = self.spent - units
        assert spent >= 0
        self.spent = spent
        self.spent_words[self.slot] = spent


def reserve(
    charged: Sequence[tuple[Holding, int]], needed: Iterable[Holding] = ()
) -> dict[Holding, int] | None:
    """Take every cost, or none. What has no cost for a call must still have a unit left.

    Every call comes through here and `take_of`: they spend without a function for each holding.
    """
    for holding, cost in charged:
        if holding.amount - holding.spent < cost:
            return None
    for holding in needed:
        if holding.amount <= holding.spent:
            return None
    for holding, cost in charged:
        spent = holding.spent + cost
        holding.spent_words[holding.slot] = spent
        holding.spent = spent
        holding.open += 1
    return dict(charged)


def take_of(taken: dict[Holding, int], holding: Holding, wanted: int) -> int:
    """As `take`, where there is one: most often."""
    spent = holding.spent
    left = holding.amount - spent
    wanted = wanted if wanted < left else left  # noqa: FURB136 - min() costs every call more
    if wanted <= 0:
        return 0
    spent += wanted
    holding.spent_words[holding.slot] = spent
    holding.spent = spent
    if holding in taken:
        taken[holding] += wanted
    else:
        holding.open += 1
        taken[holding] = wanted
    return wanted


def take(taken: dict[Holding, int], holdings: Iterable[Holding], wanted: int) -> int:
    """Take as many units, up to `wanted`, as all of `holdings` can give. Spent from now on."""
    for holding in holdings:
        wanted = min(wanted, holding.amount - holding.spent)
    for holding in holdings:
        take_of(taken, holding, wanted)
    return max(0, wanted)


def take_whole(taken: dict[Holding, int], costs: Sequence[tuple[Holding, int]]) -> bool:
    """Take every cost, or nothing: what would be of no use in part. Spent from now on."""
    if any(holding.amount - holding.spent < units for holding, units in costs):
        return False
    for holding, units in costs:
        holding.spend(units)
        if holding not in taken:
            holding.open += 1
        taken[holding] = taken.get(holding, 0) + units
    return True


def give_back(taken: dict[Holding, int], holding: Holding, units: int) -> None:
    """Return units that were taken but not used."""
    left = taken[holding] - units
    assert left >= 0
    taken[holding] = left
    holding.unspend(units)


def give_back_newest(taken: dict[Holding, int], limit: object, units: int) -> None:
    """Of one limit, from the newest window first."""
    for holding in reversed(taken):
        if holding.limit is limit:
            count = min(units, taken[holding])
            give_back(taken, holding, count)
            units -= count


def void(taken: dict[Holding, int]) -> None:
    for holding, units in taken.items():
        holding.unspend(units)
        taken[holding] = 0


NOTHING_SAID: Mapping[str, int] = {}


def settle(
    taken: dict[Holding, int],
    *,
    credits: int | None,  # noqa: A002 - the protocol's word
    calls: int,
    said: Mapping[str, int] = NOTHING_SAID,
    count: Mapping[str, int] | None = None,
) -> bool:
    """Bring what was reserved down to the real cost, and say whether it was above: then clamped.

    `said` is of the kinds that are counted as they pass; `count` prices credits by use.
    """
    clamped = False
    for holding, units in taken.items():
        limit = holding.limit
        if isinstance(limit, Calls):
            cost = calls
        elif isinstance(limit, Credits):
            cost = _credits(limit, credits, count, units)
            clamped |= cost > units
        elif limit.kind in said:
            cost = said[limit.kind]
        else:
            continue
        if cost < units:
            give_back(taken, holding, units - max(0, cost))
    return clamped


def _credits(
    limit: Credits,
    said: int | None,
    count: Mapping[str, int] | None,
    reserved: int,
) -> int:
    """What the upstream said; else what was counted; what could not be counted stays reserved."""
    if said is not None:
        return said
    if not limit.per_unit:
        return limit.per_call
    return reserved if count is None else limit.cost(count)


def cost_in(taken: Mapping[Holding, int], kind: type[Quota]) -> int:
    """Units of a kind; of several limits of it the first, since each counts the same again."""
    return next((units for holding, units in taken.items() if type(holding.limit) is kind), 0)


def close(taken: dict[Holding, int]) -> None:
    for holding in taken:
        holding.open -= 1
    taken.clear()


def rate_limit_names(limits: Sequence[Limit]) -> tuple[str, ...]:
    """Header names: a second limit of the same kind is told apart by its position."""
    names = [limit.name for limit in limits]
    return tuple(
        name if names.index(name) == index else f"{name}-{index + 1}"
        for index, name in enumerate(names)
    )


def policy_header(limits: Sequence[Limit]) -> bytes:
    """Hours are no quantity: a schedule is not in it."""
    members = []
    for name, limit in zip(rate_limit_names(limits), limits, strict=True):
        if isinstance(limit, Schedule):
            continue
        window = "" if limit.window_seconds is None else f";w={limit.window_seconds}"
        unit = "" if limit.unit == "requests" else f';qu="{limit.unit}"'
        members.append(f'"{name}";q={limit.total}{unit}{window}')
    return ", ".join(members).encode()


def retry_after_s(seconds: float) -> int:
    """Rounded up: a client that waits so long finds the window renewed."""
    return max(1, math.ceil(seconds))
