from billing.domain.supposing import Supposed, Use, suppose
from gateway.domain.limits import parse_limits

DAY = 86_400
CALM = Use(days=2, calls=900, bytes_up=10, bytes_down=50, credits=0, messages=0, peak=30)
BUSY = Use(days=7, calls=9_500, bytes_up=0, bytes_down=10**9, credits=0, messages=5, peak=700)


def supposed(limits: list[object], access_seconds: int = DAY) -> Supposed:
    return suppose([CALM, BUSY], parse_limits(limits), access_seconds, 100)


def test_without_limits_a_pass_lasts_as_long_as_it_says() -> None:
    assert supposed([]) == Supposed(2, 10_400, 9, 900, (), 0)
    assert supposed([], 30 * DAY).passes == 2


def test_quota_that_is_used_up_means_more_passes() -> None:
    told = supposed([{"kind": "calls", "count": 1_000, "window_seconds": None}])
    assert (told.passes, told.used_up) == (12, (("1,000 calls", 1),))
    told = supposed([{"kind": "calls", "count": 100, "window_seconds": 3_600}])
    assert (told.passes, told.used_up) == (9, ())


def test_each_kind_is_measured_by_its_own() -> None:
    down = {"kind": "data", "direction": "down", "bytes": 10**8, "window_seconds": None}
    assert supposed([down]).passes == 12
    paid = {"kind": "credits", "credits": 1_000, "per_call": 2, "window_seconds": None}
    assert supposed([paid]).passes == 2 + 19
    both = {"kind": "messages", "direction": "both", "count": 1, "window_seconds": None}
    assert supposed([both]).passes == 9


def test_rate_is_compared_with_the_busiest_minute() -> None:
    assert supposed([{"kind": "rate", "count": 5, "window_seconds": 1}]).too_fast == 1
    assert supposed([{"kind": "rate", "count": 50, "window_seconds": 1}]).too_fast == 0
