"""What a plan would have meant for those who called: how many passes, and who meets a limit.

Taken from what each buyer used by the day, so it says at most what a week of it says: a quota that
renews is taken as all of its windows together, a rate is compared with the busiest minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.limits import Calls, Credits, Data, Limit, Messages, is_quota
from gateway.domain.rates import Rate

DAY_S, MINUTE_S = 86_400, 60


@dataclass(frozen=True, slots=True)
class Use:
    """One buyer's. `peak`: the most calls of one minute."""

    days: int
    calls: int
    bytes_up: int
    bytes_down: int
    credits: int
    messages: int
    peak: int


@dataclass(frozen=True, slots=True)
class Supposed:
    buyers: int
    calls: int
    passes: int
    revenue: int
    """In base units of the plan's asset."""
    used_up: tuple[tuple[str, int], ...]
    """Each quota that ends passes before their time, and for how many buyers."""
    too_fast: int


def suppose(
    uses: Sequence[Use], limits: Sequence[Limit], access_seconds: int, amount: int
) -> Supposed:
    passes, used_up, too_fast = 0, dict.fromkeys(map(_words, filter(is_quota, limits)), 0), 0
    for use in uses:
        by_time = _up(use.days * DAY_S, access_seconds)
        needed = by_time
        for limit in filter(is_quota, limits):
            by_limit = _up(_used(limit, use), _whole(limit, access_seconds))
            used_up[_words(limit)] += by_limit > by_time
            needed = max(needed, by_limit)
        passes += needed
        too_fast += any(_is_beyond(limit, use.peak) for limit in limits if isinstance(limit, Rate))
    return Supposed(
        buyers=len(uses),
        calls=sum(use.calls for use in uses),
        passes=passes,
        revenue=passes * amount,
        used_up=tuple((words, count) for words, count in used_up.items() if count),
        too_fast=too_fast,
    )


def _up(part: int, whole: int) -> int:
    return -(-part // whole)


def _words(limit: Limit) -> str:
    return limit.words()


def _whole(limit: Limit, access_seconds: int) -> int:
    """What a pass holds in all of its windows."""
    assert isinstance(limit, Calls | Data | Messages | Credits)
    windows = 1 if limit.window_seconds is None else _up(access_seconds, limit.window_seconds)
    return limit.total * windows


def _used(limit: Limit, use: Use) -> int:
    if isinstance(limit, Calls):
        return use.calls
    if isinstance(limit, Data):
        ways = {"up": use.bytes_up, "down": use.bytes_down}
        return ways.get(str(limit.direction), use.bytes_up + use.bytes_down)
    if isinstance(limit, Credits):
        return use.credits or use.calls * limit.per_call
    return use.messages


def _is_beyond(limit: Rate, peak: int) -> bool:
    return peak * limit.window_seconds > limit.count * MINUTE_S + limit.total * limit.window_seconds
