import pytest

from billing.domain import burning
from billing.domain.burning import Used
from gateway.domain.fields import Direction
from gateway.domain.limits import Calls, Credits, Data, Messages, Quota

USED = Used(calls=1, bytes_up=20, bytes_down=300, credits=4_000, messages=50_000)


@pytest.mark.parametrize(
    ("limit", "amount"),
    [
        (Calls(9), 1),
        (Data(Direction.UP, 9), 20),
        (Data(Direction.DOWN, 9), 300),
        (Data(Direction.BOTH, 9), 320),
        (Credits(9), 4_000),
        (Messages(Direction.BOTH, 9), 50_000),
    ],
)
def test_each_quota_is_used_in_its_own_unit(limit: Quota, amount: int) -> None:
    assert burning.of(limit, USED) == amount


def test_pace_is_of_the_last_quarter_of_an_hour_or_since_it_began() -> None:
    assert burning.per_minute(150, active_s=10_000) == 10
    assert burning.per_minute(150, active_s=300) == 30
    assert burning.per_minute(150, active_s=1) == 150


def test_it_runs_out_when_the_pace_says_unless_it_ends_before() -> None:
    assert burning.runs_out_in_s(100, 10, before_s=3_600) == 600
    assert burning.runs_out_in_s(100, 10, before_s=600) is None
    assert burning.runs_out_in_s(100, 0, before_s=3_600) is None
    assert burning.runs_out_in_s(0, 0, before_s=3_600) == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, (1, "minute")),
        (61, (2, "minute")),
        (150, (2, "minute")),
        (5_399, (90, "minute")),
        (5_400, (2, "hour")),
        (129_600, (2, "day")),
        (864_000, (10, "day")),
    ],
)
def test_roughly_is_one_unit(seconds: float, words: tuple[int, str]) -> None:
    assert burning.roughly(seconds) == words
