"""Days and hours as people type them: `Mon-Fri 09:00-17:00, Sat 10:00-14:00`."""

import re
from collections.abc import Sequence

from gateway.domain.schedules import DAYS
from marketplace.domain.quotes import Json, JsonObject

DAY = "|".join(DAYS)
WINDOW = re.compile(
    rf"(?P<first>{DAY}|daily)(?:-(?P<last>{DAY}))?\s+(?P<start>\S+?)\s*-\s*(?P<end>\S+)"
)


class HoursError(ValueError):
    """Not hours; the message is for the person who typed them."""


def parse_hours(text: str) -> list[JsonObject]:
    """The windows of a `schedule` limit, which checks the times themselves."""
    parts = [part.strip().lower().replace("–", "-") for part in re.split(r"[,;\n]", text)]  # noqa: RUF001 - people type it
    return [_window(part) for part in parts if part]


def _window(part: str) -> JsonObject:
    found = WINDOW.fullmatch(part)
    if found is None:
        raise HoursError("Write hours such as Mon-Fri 09:00-17:00, Sat 10:00-14:00.")
    days: list[Json] = list(_days(found["first"], found["last"]))
    return {"days": days, "start": found["start"].zfill(5), "end": found["end"].zfill(5)}


def _days(first: str, last: str | None) -> Sequence[str]:
    if first == "daily":
        return DAYS
    start = DAYS.index(first)
    end = start if last is None else DAYS.index(last)
    if end < start:  # Sat-Mon
        return [*DAYS[start:], *DAYS[: end + 1]]
    return DAYS[start : end + 1]


def show_hours(windows: Sequence[JsonObject]) -> str:
    """So that `parse_hours` reads the same windows, in as many parts as it takes."""
    return ", ".join(
        f"{days} {window['start']}-{window['end']}"
        for window in windows
        for days in _runs([str(day) for day in _list(window["days"])])
    )


def _list(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value


def _runs(days: Sequence[str]) -> list[str]:
    if len(days) == len(DAYS):
        return ["Daily"]
    runs: list[list[int]] = []
    for day in (DAYS.index(day) for day in days):
        if runs and runs[-1][-1] + 1 == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [name.capitalize() for name in DAYS]
    return [names[r[0]] if len(r) == 1 else f"{names[r[0]]}-{names[r[-1]]}" for r in runs]
