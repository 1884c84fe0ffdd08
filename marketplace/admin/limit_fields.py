"""The limits of a price as fields to fill in: one line a limit, an empty line is no limit."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from django import forms

from gateway.domain.limits import LimitError, parse_limits
from gateway.domain.units import INTEGER_MAX
from marketplace.domain import plans
from marketplace.domain.hours import HoursError, parse_hours, show_hours
from marketplace.domain.quotes import Json, JsonObject

NEVER = ""
RENEWALS = {
    NEVER: "never",
    "60": "every minute",
    "3600": "every hour",
    "86400": "every day",
    "604800": "every week",
    "2592000": "every 30 days",
}
WINDOWS = {
    "1": "a second",
    "10": "10 seconds",
    "60": "a minute",
    "3600": "an hour",
    "86400": "a day",
}
SIZES = {"bytes": 1, **plans.SIZES}


@dataclass(frozen=True, slots=True)
class Line:
    """Which limit a line of the form stands for, and the name that its fields begin with."""

    prefix: str
    label: str
    hint: str
    kind: str
    direction: str | None = None

    def fits(self, limit: JsonObject) -> bool:
        return (self.kind, self.direction) == (limit["kind"], limit.get("direction"))


EVENTS = "of WebSockets, and server-sent events"
LINES = [
    Line("calls", "Calls", "", "calls"),
    Line("calls_too", "Calls, a second limit", "such as so many every hour", "calls"),
    Line("down", "Data to the buyer", "bodies of answers", "data", "down"),
    Line("up", "Data from the buyer", "bodies of requests", "data", "up"),
    Line("both", "Data, both together", "", "data", "both"),
    Line("messages_down", "Messages to the buyer", EVENTS, "messages", "down"),
    Line("messages_up", "Messages from the buyer", "of WebSockets", "messages", "up"),
    Line("messages_both", "Messages, both together", "", "messages", "both"),
    Line("credits", "Credits", "for calls of different cost", "credits"),
    Line("rate", "Rate", "calls in any such time; never used up", "rate"),
    Line("speed_down", "Speed to the buyer", "slowed down to it", "bandwidth", "down"),
    Line("speed_up", "Speed from the buyer", "slowed down to it", "bandwidth", "up"),
    Line("speed_both", "Speed, both together", "", "bandwidth", "both"),
    Line("concurrency", "Calls at a time", "", "concurrency"),
    Line("schedule", "Hours", "such as Mon-Fri 09:00-17:00, Sat 10:00-14:00", "schedule"),
]
NAMES = {
    "calls": ("amount", "renews"),
    "data": ("amount", "renews", "unit"),
    "messages": ("amount", "renews"),
    "credits": ("amount", "renews", "per_call", "max_per_call"),
    "rate": ("amount", "window", "burst"),
    "bandwidth": ("amount", "speed"),
    "concurrency": ("amount",),
    "schedule": ("amount", "zone"),
}
FIELDS = [f"{line.prefix}_{name}" for line in LINES for name in NAMES[line.kind]]


def _count(label: str, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=INTEGER_MAX, help_text=help_text
    )


def _size(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=False, min_value=Decimal(0), max_digits=20, decimal_places=6
    )


def _unit() -> forms.ChoiceField:
    return forms.ChoiceField(label="unit", choices=[(name, name) for name in SIZES], initial="MB")


def _speed() -> forms.ChoiceField:
    choices = [(name, f"{name} a second") for name in SIZES]
    return forms.ChoiceField(label="a second", choices=choices, initial="MB", required=False)


def _renews() -> forms.ChoiceField:
    return forms.ChoiceField(label="renews", required=False, choices=list(RENEWALS.items()))


class LimitsForm(forms.Form):
    """Only the lines: the price form mixes them in."""

    calls_amount = _count("calls")
    calls_renews = _renews()
    calls_too_amount = _count("calls")
    calls_too_renews = _renews()
    down_amount = _size("downloaded")
    down_unit = _unit()
    down_renews = _renews()
    up_amount = _size("uploaded")
    up_unit = _unit()
    up_renews = _renews()
    both_amount = _size("up and down")
    both_unit = _unit()
    both_renews = _renews()
    messages_down_amount = _count("messages received")
    messages_down_renews = _renews()
    messages_up_amount = _count("messages sent")
    messages_up_renews = _renews()
    messages_both_amount = _count("messages")
    messages_both_renews = _renews()
    credits_amount = _count("credits")
    credits_per_call = forms.IntegerField(
        label="for each call", required=False, min_value=0, max_value=INTEGER_MAX
    )
    credits_max_per_call = _count("at most", "Reserved before a call, when its cost varies.")
    credits_renews = _renews()
    rate_amount = _count("calls")
    rate_window = forms.ChoiceField(label="in", choices=list(WINDOWS.items()), required=False)
    rate_burst = _count("burst", "So many at once, then evenly; empty: never more than the rate.")
    speed_down_amount = _size("downloading")
    speed_down_speed = _speed()
    speed_up_amount = _size("uploading")
    speed_up_speed = _speed()
    speed_both_amount = _size("up and down")
    speed_both_speed = _speed()
    concurrency_amount = _count("calls at a time")
    schedule_amount = forms.CharField(label="hours", required=False, max_length=1000)
    schedule_zone = forms.CharField(
        label="time zone", required=False, max_length=64, initial="Europe/Berlin"
    )


def lines(form: forms.BaseForm) -> list[dict[str, object]]:
    """For the template: each line with its fields, by what they are."""
    names = (
        *(
            "amount",
            "unit",
            "renews",
            "per_call",
            "max_per_call",
            "window",
            "burst",
            "zone",
            "speed",
        ),
    )
    return [
        {
            "label": line.label,
            "hint": line.hint,
            **{
                name: form[f"{line.prefix}_{name}"]
                for name in names
                if f"{line.prefix}_{name}" in form.fields
            },
        }
        for line in LINES
    ]


def initial(limits: list[JsonObject]) -> tuple[dict[str, object], list[JsonObject]]:
    """The fields that show `limits`, and those limits that the form has no line for."""
    fields: dict[str, object] = {}
    free, unshown = list(LINES), []
    for limit in limits:
        line = next((line for line in free if line.fits(limit)), None)
        if line is None:
            unshown.append(limit)
        else:
            free.remove(line)
            fields |= _shown(line, limit)
    return fields, unshown


def _shown(line: Line, limit: JsonObject) -> dict[str, object]:
    fields = _shown_refilling(line, limit) or _shown_quota(line, limit)
    return {f"{line.prefix}_{name}": value for name, value in fields.items()}


def _shown_refilling(line: Line, limit: JsonObject) -> dict[str, object]:
    if line.kind == "rate":
        window = str(limit["window_seconds"])
        return {"amount": limit["count"], "window": window, "burst": limit["burst"]}
    if line.kind == "bandwidth":
        speed = limit["bytes_per_second"]
        assert isinstance(speed, int)
        return dict(zip(("amount", "speed"), plans.split_size(speed), strict=True))
    if line.kind == "concurrency":
        return {"amount": limit["count"]}
    if line.kind == "schedule":
        windows = limit["windows"]
        assert isinstance(windows, list)
        hours = show_hours([each for each in windows if isinstance(each, dict)])
        return {"amount": hours, "zone": limit["timezone"]}
    return {}


def _shown_quota(line: Line, limit: JsonObject) -> dict[str, object]:
    fields: dict[str, object] = {"renews": str(limit.get("window_seconds") or NEVER)}
    if line.kind == "data":
        size = limit["bytes"]
        assert isinstance(size, int)
        fields["amount"], fields["unit"] = plans.split_size(size)
    elif line.kind in {"calls", "messages"}:
        fields["amount"] = limit["count"]
    else:
        fields["amount"] = limit["credits"]
        fields["per_call"] = limit["per_call"]
        fields["max_per_call"] = limit["max_per_call"]
    return fields


def offer_windows(form: forms.BaseForm, limits: list[JsonObject]) -> None:
    """A window that is none of the usual ones stays a choice where it was chosen."""
    for name, value in initial(limits)[0].items():
        if name.endswith("_renews") and value not in RENEWALS:
            field = form.fields[name]
            assert isinstance(field, forms.ChoiceField)
            every = plans.show_duration(int(str(value)))
            field.choices = [*RENEWALS.items(), (str(value), f"every {every}")]
        elif name == "rate_window" and value not in WINDOWS:
            field = form.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [*WINDOWS.items(), (str(value), plans.show_duration(int(str(value))))]


def collect(form: forms.BaseForm, cleaned: dict[str, object]) -> list[JsonObject]:
    """The limits that were filled in; what cannot be sold is an error at its line."""
    limits: list[JsonObject] = []
    for line in LINES:
        if cleaned.get(f"{line.prefix}_amount") in {None, ""}:
            continue
        try:
            [limit] = parse_limits([_limit(line, cleaned)])
        except (LimitError, HoursError, plans.AmountError) as exc:
            form.add_error(f"{line.prefix}_amount", str(exc).removeprefix("limits[0]."))
        else:
            limits.append(_json(limit.terms()))
    return limits


def _limit(line: Line, cleaned: dict[str, object]) -> JsonObject:
    given = {name: cleaned.get(f"{line.prefix}_{name}") for name in NAMES[line.kind]}
    return {"kind": line.kind} | (_refilling(line, given) or _quota(line, cleaned))


def _refilling(line: Line, given: dict[str, object]) -> JsonObject:
    if line.kind == "schedule":
        windows: list[Json] = [*parse_hours(str(given["amount"]))]
        return {"timezone": str(given["zone"] or "").strip(), "windows": windows}
    if line.kind == "bandwidth":
        speed = _bytes(Decimal(str(given["amount"])), str(given["speed"] or "MB"))
        return {"direction": line.direction, "bytes_per_second": speed}
    if line.kind == "concurrency":
        return {"count": int(str(given["amount"]))}
    if line.kind == "rate":
        burst = None if given["burst"] is None else int(str(given["burst"]))
        window = int(str(given["window"] or 1))
        return {"count": int(str(given["amount"])), "window_seconds": window, "burst": burst}
    return {}


def _quota(line: Line, cleaned: dict[str, object]) -> JsonObject:
    renews = str(cleaned.get(f"{line.prefix}_renews") or NEVER)
    limit: JsonObject = {"window_seconds": int(renews) if renews else None}
    amount = cleaned[f"{line.prefix}_amount"]
    if line.kind == "data":
        return limit | {
            "direction": line.direction,
            "bytes": _bytes(Decimal(str(amount)), str(cleaned.get(f"{line.prefix}_unit"))),
        }
    if line.kind == "calls":
        return limit | {"count": int(str(amount))}
    if line.kind == "messages":
        return limit | {"direction": line.direction, "count": int(str(amount))}
    asked = {name: cleaned.get(f"{line.prefix}_{name}") for name in ("per_call", "max_per_call")}
    given: JsonObject = {name: int(str(n)) for name, n in asked.items() if n is not None}
    return limit | {"credits": int(str(amount))} | given


def _bytes(amount: Decimal, unit: str) -> int:
    size = amount * SIZES.get(unit, 1)
    if size != size.to_integral_value():
        raise plans.AmountError("This is not a whole number of bytes.")
    return int(size)


def _json(terms: dict[str, object]) -> JsonObject:
    return cast("JsonObject", json.loads(json.dumps(terms)))
