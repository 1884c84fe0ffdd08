import pytest

from gateway.domain.chronicle import BUCKETS
from marketplace.domain.reckoning import Health, health, popular, within_ms
from marketplace.domain.standings import BEYOND_MS


def histogram(**buckets: int) -> list[int]:
    return [buckets.get(f"b{place}", 0) for place in range(BUCKETS)]


def test_times_are_the_upper_bounds_of_their_buckets() -> None:
    calls = histogram(b4=94, b6=5, b14=1)
    assert within_ms(calls, 50) == 25
    assert within_ms(calls, 95) == 100
    assert within_ms(calls, 100) == BEYOND_MS


def test_too_few_calls_say_nothing() -> None:
    assert within_ms(histogram(b4=99), 50) is None
    assert within_ms([], 95) is None


@pytest.mark.parametrize(
    ("answered", "probes", "said"),
    [
        (0, 0, Health.UNKNOWN),
        (1440, 1440, Health.UP),
        (1439, 1440, Health.UP),
        (1438, 1440, Health.PARTLY),
        (1300, 1440, Health.DOWN),
        (0, 1, Health.DOWN),
    ],
)
def test_a_day_is_as_good_as_its_probes(answered: int, probes: int, said: Health) -> None:
    assert health(answered, probes) is said


@pytest.mark.parametrize(
    ("sold", "found"),
    [
        ({}, None),
        ({"a": 100}, None),
        ({"a": 9, "b": 1}, None),
        ({"a": 10, "b": 1}, "a"),
        ({"a": 10, "b": 10}, None),
        ({"a": 12, "b": 11, "c": 11, "d": 11}, None),
        ({"a": 1, "b": 30, "c": 20}, "b"),
    ],
)
def test_popular_is_what_sales_say_is(sold: dict[str, int], found: str | None) -> None:
    assert popular(sold) == found
