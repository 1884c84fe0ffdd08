"""When a buyer is told that a grant is nearly used up or over, and its seller that it is over."""

from collections.abc import Iterable

PERCENTS = (80, 95, 100)
DAY_S, HOUR_S = 86_400, 3_600
BEFORE_END_S = (DAY_S, HOUR_S)
# A quota that renews more often than daily would fill a mailbox.
WINDOW_SECONDS_MIN = DAY_S


def passed(used: int, total: int) -> tuple[int, ...]:
    """The percentages that are reached, the highest last. 100 only where nothing is left."""
    return tuple(percent for percent in PERCENTS if 100 * used >= percent * total)


def is_told(window_seconds: int | None) -> bool:
    return window_seconds is None or window_seconds >= WINDOW_SECONDS_MIN


def near_end(left_s: float, *, lasts_s: float) -> tuple[int, ...]:
    """The moments before its end that have come, the last one last; none of an ended grant.

    A pass of an hour is not told a day before its end: only moments within its own life count.
    """
    if left_s <= 0:
        return ()
    return tuple(before for before in _within(lasts_s) if left_s <= before)


def next_look_s(ends_at_s: float, *, lasts_s: float, now_s: float) -> int | None:
    """When the next such moment comes, or the end itself; None: it is over."""
    moments = [ends_at_s - before for before in (*_within(lasts_s), 0)]
    return int(next((moment for moment in moments if moment > now_s), 0)) or None


def _within(lasts_s: float) -> Iterable[int]:
    return [before for before in BEFORE_END_S if before < lasts_s]
