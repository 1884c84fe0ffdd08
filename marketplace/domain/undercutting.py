"""Whether a guard makes it impossible to use what is sold."""

from collections.abc import Sequence

from gateway.domain.guards import Guard, Pace
from gateway.domain.limits import Calls, Limit


def undercut(guard: Guard, limits: Sequence[Limit], access_seconds: int) -> str | None:
    """The limit that could not be used up in its time by somebody who is held to the guard.

    Who bought a rate is not held to a pace of ours, so there is nothing to compare.
    """
    if any(limit.kind == "rate" for limit in limits):
        return None
    for pace in filter(None, (guard.client_pace, guard.pace)):
        for limit in limits:
            if isinstance(limit, Calls) and not _suffices(pace, limit, access_seconds):
                return f"{limit.words()} cannot be made in time at {pace.words()}"
    return None


def _suffices(pace: Pace, limit: Calls, access_seconds: int) -> bool:
    """A bucket gives its fill at once and then as many again in each window."""
    seconds = min(limit.window_seconds or access_seconds, access_seconds)
    return pace.count * (pace.window_s + seconds) >= limit.count * pace.window_s
