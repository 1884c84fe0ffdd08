"""How fast a grant is used, and when it runs out at that pace. An estimate, and said to be one."""

import math
from dataclasses import dataclass

from gateway.domain.fields import Direction
from gateway.domain.limits import Calls, Credits, Data, Messages, Quota

WINDOW_S = 900  # Looked back: long enough for a pace, short enough to be of now.
SHORTEST_S = 60.0  # One call in the first second is no pace.


@dataclass(frozen=True, slots=True)
class Used:
    """What a grant did lately."""

    calls: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    credits: int = 0
    messages: int = 0


def of(limit: Quota, used: Used) -> int:
    """How much of this quota that was. Messages are counted both ways together."""
    match limit:
        case Calls():
            return used.calls
        case Credits():
            return used.credits
        case Messages():
            return used.messages
        case Data(direction=Direction.UP):
            return used.bytes_up
        case Data(direction=Direction.DOWN):
            return used.bytes_down
    return used.bytes_up + used.bytes_down


def per_minute(amount: int, *, active_s: float) -> float:
    """`active_s`: since the grant began."""
    return 60 * amount / min(WINDOW_S, max(SHORTEST_S, active_s))


def runs_out_in_s(left: int, pace_per_minute: float, *, before_s: float) -> float | None:
    """None where it lasts until `before_s` from now, when it ends or renews anyway."""
    if left <= 0:
        return 0.0
    if pace_per_minute <= 0:
        return None
    seconds = 60 * left / pace_per_minute
    return seconds if seconds < before_s else None


def roughly(seconds: float) -> tuple[int, str]:
    """Such as (3, hour): one unit, rounded as people do."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size:
            return round(seconds / size), unit
    return max(1, math.ceil(seconds / 60)), "minute"
