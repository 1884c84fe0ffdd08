import pytest

from gateway.domain.guards import Guard, Pace
from gateway.domain.limits import Calls, Credits, Limit, Rate
from marketplace.domain.undercutting import undercut

HOUR = 3_600


@pytest.mark.parametrize(
    ("pace", "limit", "access_seconds"),
    [
        (Pace(10, 60), Calls(610), HOUR),
        (Pace(100, 60), Calls(100), 1),
        (Pace(1, 60), Calls(61, window_seconds=HOUR), 24 * HOUR),
        (Pace(1, 60), Credits(1_000_000), HOUR),
    ],
)
def test_what_can_be_used_up_in_time_is_not_undercut(
    pace: Pace, limit: Limit, access_seconds: int
) -> None:
    assert undercut(Guard(pace=pace), [limit], access_seconds) is None
    assert undercut(Guard(client_pace=pace), [limit], access_seconds) is None


@pytest.mark.parametrize(
    ("pace", "limit", "access_seconds"),
    [
        (Pace(10, 60), Calls(611), HOUR),
        (Pace(1, 60), Calls(62, window_seconds=HOUR), 24 * HOUR),
    ],
)
def test_more_calls_than_the_guard_lets_in_are_undercut(
    pace: Pace, limit: Limit, access_seconds: int
) -> None:
    for guard in (Guard(pace=pace), Guard(client_pace=pace)):
        said = undercut(guard, [limit], access_seconds)
        assert said is not None
        assert said.startswith(limit.words())


def test_who_buys_a_rate_is_not_held_to_a_pace() -> None:
    assert undercut(Guard(pace=Pace(1, 60)), [Calls(1_000), Rate(10, 1)], HOUR) is None


def test_other_guards_take_no_calls_away() -> None:
    assert undercut(Guard(concurrency=1, body_bytes_max=1, idle_ms=1), [Calls(9)], HOUR) is None
