from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.limits import LimitError, parse_limits
from gateway.domain.schedules import DAYS, Schedule

# Europe/Berlin: 02:00 → 03:00 on 2026-03-29, 03:00 → 02:00 on 2026-10-25, both Sundays.
BERLIN = "Europe/Berlin"
SPRING_S = 1_774_746_000  # 2026-03-29T01:00:00Z
AUTUMN_S = 1_792_890_000  # 2026-10-25T01:00:00Z
HOUR = 3600


def schedule(
    *windows: tuple[str, str], days: tuple[str, ...] = DAYS, zone: str = BERLIN
) -> Schedule:
    described = [{"days": list(days), "start": start, "end": end} for start, end in windows]
    [limit] = parse_limits([{"kind": "schedule", "timezone": zone, "windows": described}])
    assert isinstance(limit, Schedule)
    return limit


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def edges(limit: Schedule, from_s: float, count: int) -> list[float | None]:
    found: list[float | None] = []
    moment: float | None = from_s
    for _ in range(count):
        assert moment is not None
        moment = limit.changes_at(moment)
        found.append(moment)
    return found


def test_start_is_inside_and_end_is_not_to_the_instant() -> None:
    office = schedule(("09:00", "17:00"))
    start, end = at("2026-06-01T09:00"), at("2026-06-01T17:00")
    assert [office.is_open(each) for each in (start - 0.001, start, end - 0.001, end)] == [
        False,
        True,
        True,
        False,
    ]
    assert edges(office, start - 60, 2) == [start, end]


def test_hours_stay_those_of_the_wall_clock_over_both_changes() -> None:
    office = schedule(("09:00", "17:00"))
    assert edges(office, SPRING_S - 20 * HOUR, 5) == [
        at("2026-03-28T09:00"),
        at("2026-03-28T17:00"),
        at("2026-03-29T09:00"),
        at("2026-03-29T17:00"),
        at("2026-03-30T09:00"),
    ]
    assert at("2026-03-29T09:00") - at("2026-03-28T09:00") == 23 * HOUR
    assert edges(office, AUTUMN_S, 2) == [at("2026-10-25T09:00"), at("2026-10-25T17:00")]
    assert at("2026-10-25T09:00") - at("2026-10-24T09:00") == 25 * HOUR


def test_a_skipped_hour_is_never_open() -> None:
    assert schedule(("02:00", "03:00")).changes_at(SPRING_S - HOUR) == at("2026-03-30T02:00")
    # What the clock jumps into the middle of opens at the jump.
    assert edges(schedule(("02:30", "03:30")), SPRING_S - HOUR, 2) == [
        SPRING_S,
        SPRING_S + HOUR // 2,
    ]
    # What it jumps out of ends at the jump.
    assert edges(schedule(("01:00", "02:30")), SPRING_S - 2 * HOUR, 2) == [
        SPRING_S - HOUR,
        SPRING_S,
    ]


def test_an_hour_shown_twice_is_open_twice() -> None:
    assert edges(schedule(("02:00", "03:00")), AUTUMN_S - 2 * HOUR, 2) == [
        AUTUMN_S - HOUR,
        AUTUMN_S + HOUR,
    ]
    assert edges(schedule(("01:00", "02:30")), AUTUMN_S - 3 * HOUR, 4) == [
        AUTUMN_S - 2 * HOUR,
        AUTUMN_S - HOUR // 2,
        AUTUMN_S,
        AUTUMN_S + HOUR // 2,
    ]


def test_a_whole_day_is_23_hours_in_spring_and_25_in_autumn() -> None:
    sundays = schedule(("00:00", "24:00"), days=("sun",))
    opens, closes = edges(sundays, SPRING_S - 24 * HOUR, 2)
    assert (opens, closes) == (at("2026-03-29T00:00"), at("2026-03-30T00:00"))
    assert closes == SPRING_S + 21 * HOUR
    opens, closes = edges(sundays, AUTUMN_S - 24 * HOUR, 2)
    assert (opens, closes) == (AUTUMN_S - 3 * HOUR, AUTUMN_S + 22 * HOUR)


def test_a_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    fridays = schedule(("22:00", "06:00"), days=("fri",))
    assert fridays.is_open(at("2026-06-05T23:00"))
    assert fridays.is_open(at("2026-06-06T05:59"))
    assert not fridays.is_open(at("2026-06-05T05:00"))
    assert edges(fridays, at("2026-06-05T12:00"), 2) == [
        at("2026-06-05T22:00"),
        at("2026-06-06T06:00"),
    ]


def test_windows_that_touch_are_one() -> None:
    limit = schedule(("09:00", "12:00"), ("12:00", "17:00"))
    assert limit.changes_at(at("2026-06-01T10:00")) == at("2026-06-01T17:00")


def test_always_open_never_changes() -> None:
    assert schedule(("00:00", "24:00")).changes_at(SPRING_S - HOUR) is None


@settings(deadline=None)
@given(
    st.integers(SPRING_S - 86_400, AUTUMN_S + 86_400),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda t: t[0] != t[1]),
)
def test_nothing_changes_before_it_is_said_to(
    now_s: int, zone: str, times: tuple[int, int]
) -> None:
    start, end = (f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in times)
    limit = schedule((start, end), days=("mon", "wed", "sun"), zone=zone)
    change = limit.changes_at(now_s)
    assert change is not None
    before = limit.is_open(now_s)
    assert limit.is_open(change) is not before
    assert limit.is_open(change - 0.001) is before
    step = max(60, (change - now_s) / 50)
    probe = float(now_s)
    while probe < change - 0.001:
        assert limit.is_open(probe) is before
        probe += step


def test_terms_are_canonical_and_words_are_read_by_people() -> None:
    raw = {
        "kind": "schedule",
        "timezone": "Europe/Berlin",
        "windows": [{"days": ["fri", "mon", "tue"], "start": "09:00", "end": "24:00"}],
    }
    [limit] = parse_limits([raw])
    assert limit.terms() == {
        **raw,
        "windows": [{"days": ["mon", "tue", "fri"], "start": "09:00", "end": "24:00"}],
    }
    assert parse_limits([limit.terms()]) == (limit,)
    assert limit.words() == "only Mon, Tue, Fri 09:00 to 24:00 (Europe/Berlin)"


WINDOW = {"days": ["mon"], "start": "09:00", "end": "10:00"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone must be one of the IANA"),
        ({"timezone": "../../etc/passwd"}, "timezone must be one of the IANA"),
        ({"timezone": "Europe"}, "timezone must be one of the IANA"),
        ({"windows": []}, "windows must be a list of 1 to 32"),
        ({"windows": [7]}, r"windows\[0\] must be an object"),
        ({"windows": [{**WINDOW, "days": ["mon", "mon"]}]}, "each once"),
        ({"windows": [{**WINDOW, "days": ["Monday"]}]}, "each once"),
        ({"windows": [{**WINDOW, "start": "9:00"}]}, "must be a time of day"),
        ({"windows": [{**WINDOW, "end": "24:01"}]}, "must be a time of day"),
        ({"windows": [{**WINDOW, "end": "09:00"}]}, "no window is empty"),
        ({"windows": [{**WINDOW, "start": "22:00", "end": "00:00"}]}, "no window is empty"),
        ({"windows": [{**WINDOW, "until": "1"}]}, "until is not a field"),
    ],
)
def test_hours_that_cannot_be_kept_are_refused(changes: dict[str, object], message: str) -> None:
    raw = {"kind": "schedule", "timezone": "Europe/Berlin", "windows": [WINDOW], **changes}
    with pytest.raises(LimitError, match=message):
        parse_limits([raw])
