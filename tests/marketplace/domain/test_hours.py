import pytest

from gateway.domain.limits import parse_limits
from marketplace.domain.hours import HoursError, parse_hours, show_hours


def test_hours_are_read_as_people_type_them() -> None:
    assert parse_hours("Mon-Fri 9:00 – 17:00; sat 10:00-14:00") == [  # noqa: RUF001
        {"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00"},
        {"days": ["sat"], "start": "10:00", "end": "14:00"},
    ]
    assert parse_hours("Sat-Mon 22:00-06:00")[0]["days"] == ["sat", "sun", "mon"]
    assert len(str(parse_hours("daily 00:00-24:00")[0]["days"])) > 40


@pytest.mark.parametrize("text", ["always", "Mon 9", "Monday 09:00-10:00", "Mon-Fri"])
def test_what_is_no_hours_is_said_so(text: str) -> None:
    with pytest.raises(HoursError):
        parse_hours(text)


@pytest.mark.parametrize(
    "text", ["Mon-Fri 09:00-17:00, Sat 10:00-14:00", "Daily 22:00-06:00", "Mon 08:00-24:00"]
)
def test_hours_are_shown_as_they_are_read(text: str) -> None:
    windows = parse_hours(text)
    assert show_hours(windows) == text
    assert parse_limits([{"kind": "schedule", "timezone": "UTC", "windows": windows}])
