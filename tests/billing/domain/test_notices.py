import pytest

from billing.domain import notices

DAY, HOUR = 86_400, 3_600


@pytest.mark.parametrize(
    ("used", "total", "percents"),
    [
        (79, 100, ()),
        (80, 100, (80,)),
        (95, 100, (80, 95)),
        (99_999, 100_000, (80, 95)),
        (100, 100, (80, 95, 100)),
        (0, 1, ()),
        (1, 1, (80, 95, 100)),
    ],
)
def test_percentages_are_reached_never_rounded(
    used: int, total: int, percents: tuple[int, ...]
) -> None:
    assert notices.passed(used, total) == percents


def test_quota_of_every_minute_is_not_told() -> None:
    assert [notices.is_told(window) for window in (None, DAY, DAY - 1, 60)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("left_s", "lasts_s", "moments"),
    [
        (DAY + 1, 30 * DAY, ()),
        (DAY, 30 * DAY, (DAY,)),
        (HOUR, 30 * DAY, (DAY, HOUR)),
        (0, 30 * DAY, ()),
        (HOUR - 1, HOUR, ()),
        (HOUR, 2 * HOUR, (HOUR,)),
    ],
)
def test_end_is_told_within_a_grants_own_life(
    left_s: int, lasts_s: int, moments: tuple[int, ...]
) -> None:
    assert notices.near_end(left_s, lasts_s=lasts_s) == moments


def test_next_look_is_the_next_moment() -> None:
    def look(now_s: int, lasts_s: int = 30 * DAY) -> int | None:
        return notices.next_look_s(1_000_000, lasts_s=lasts_s, now_s=now_s)

    assert look(0) == 1_000_000 - DAY
    assert look(1_000_000 - DAY) == 1_000_000 - HOUR
    assert look(1_000_000 - HOUR) == 1_000_000
    assert look(0, lasts_s=HOUR) == 1_000_000
    assert look(1_000_000) is None
