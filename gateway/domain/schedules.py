"""When a grant works: days and hours as the wall clock of one time zone shows them.

Open at an instant means: the clock on the wall there shows a day and time of one of the windows.
So a window keeps its hours over both daylight-saving changes. An hour that the clock skips does not
exist, and one that it shows twice is open twice. The end is not in the window.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from gateway.domain.fields import Fields, LimitError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
WINDOWS_MAX = 32
AHEAD_DAYS = 15  # A window of one hour a week may lie in an hour that is skipped.
TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])", re.ASCII)
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+){0,2}")


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of the day; an `end` at or before `start` is on the next day."""

    days: tuple[int, ...]
    start: int
    end: int

    @property
    def passes_midnight(self) -> bool:
        return self.end <= self.start

    def shows(self, weekday: int, minutes: int) -> bool:
        if not self.passes_midnight:
            return weekday in self.days and self.start <= minutes < self.end
        today = weekday in self.days and minutes >= self.start
        return today or ((weekday - 1) % 7 in self.days and minutes < self.end)

    def terms(self) -> dict[str, object]:
        days = [DAYS[day] for day in self.days]
        return {"days": days, "start": _clock(self.start), "end": _clock(self.end)}

    def words(self) -> str:
        return f"{_day_words(self.days)} {_clock(self.start)} to {_clock(self.end)}"


@dataclass(frozen=True, slots=True)
class Schedule:
    kind: ClassVar[str] = "schedule"
    unit: ClassVar[str] = "requests"
    window_seconds: ClassVar[None] = None

    timezone: str
    windows: tuple[Window, ...]

    @property
    def name(self) -> str:
        return self.kind

    def terms(self) -> dict[str, object]:
        windows = [window.terms() for window in self.windows]
        return {"kind": self.kind, "timezone": self.timezone, "windows": windows}

    def words(self) -> str:
        hours = ", ".join(window.words() for window in self.windows)
        return f"only {hours} ({self.timezone})"

    def is_open(self, now_s: float) -> bool:
        local = datetime.fromtimestamp(now_s, ZoneInfo(self.timezone))
        minutes = local.hour * 60 + local.minute
        return any(window.shows(local.weekday(), minutes) for window in self.windows)

    def changes_at(self, now_s: float) -> float | None:
        """The next instant at which it opens or closes; None: not within two weeks."""
        open_now = self.is_open(now_s)
        later = (at_s for at_s in sorted(self._edges(now_s)) if at_s > now_s)
        return next((at_s for at_s in later if self.is_open(at_s) is not open_now), None)

    def _edges(self, now_s: float) -> Iterator[float]:
        zone = ZoneInfo(self.timezone)
        today = datetime.fromtimestamp(now_s, zone).date()
        times = {
            minutes % DAY_MINUTES for each in self.windows for minutes in (each.start, each.end)
        }
        for ahead in range(-1, AHEAD_DAYS):
            day = today + timedelta(days=ahead)
            for minutes in {0, *times}:
                for fold in (0, 1):
                    yield _instant(day, minutes, zone, fold)
            change = _offset_change(_instant(day, 0, zone), _instant(day, DAY_MINUTES, zone), zone)
            if change is not None:
                yield change


def _instant(day: date, minutes: int, zone: ZoneInfo, fold: int = 0) -> float:
    more_days, minutes = divmod(minutes, DAY_MINUTES)
    day += timedelta(days=more_days)
    hour, minute = divmod(minutes, 60)
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
    return local.timestamp()


def _offset_change(early_s: float, late_s: float, zone: ZoneInfo) -> float | None:
    """When the clock on the wall jumps, to the second."""

    def offset(at_s: float) -> timedelta | None:
        return datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()

    before, early, late = offset(early_s), int(early_s), int(late_s)
    if offset(late_s) == before:
        return None
    while late - early > 1:
        middle = (early + late) // 2
        if offset(middle) == before:
            early = middle
        else:
            late = middle
    return float(late)


def schedule(fields: Fields) -> Schedule:
    zone = fields.text("timezone")
    if not _is_zone(zone):
        raise LimitError(f"{fields.where}.timezone must be one of the IANA time zones.")
    raw = fields.items("windows", WINDOWS_MAX)
    windows = [_window(entry, f"{fields.where}.windows[{at}]") for at, entry in enumerate(raw)]
    fields.end()
    return Schedule(zone, tuple(windows))


def _is_zone(name: str) -> bool:
    if ZONE.fullmatch(name) is None:
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # It names no zone, or a folder of them.
        return False
    return True


def _window(entry: object, where: str) -> Window:
    if not isinstance(entry, dict):
        raise LimitError(f"{where} must be an object.")
    fields = Fields(entry, where)
    days = fields.items("days", len(DAYS))
    if len(set(map(str, days))) < len(days) or not set(map(str, days)) <= set(DAYS):
        raise LimitError(f"{where}.days must be among {', '.join(DAYS)}, each once.")
    start, end = (_minutes(fields.text(name), f"{where}.{name}") for name in ("start", "end"))
    fields.end()
    if start in {end, DAY_MINUTES} or end == 0:
        raise LimitError(f"{where}: a whole day is from 00:00 to 24:00, and no window is empty.")
    return Window(tuple(sorted(DAYS.index(str(day)) for day in days)), start, end)


def _minutes(text: str, where: str) -> int:
    match = TIME.fullmatch(text)
    minutes = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise LimitError(f"{where} must be a time of day such as 09:30, or 24:00.")
    return minutes


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _day_words(days: tuple[int, ...]) -> str:
    if len(days) == len(DAYS):
        return "every day"
    names = [DAYS[day].capitalize() for day in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[0]} to {names[-1]}"
    return ", ".join(names)
