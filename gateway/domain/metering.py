"""Where an answer reports the tokens that its credits are priced by: the `meter` of the terms.

`usage` reads what model servers report by themselves, in any of their dialects; `json` reads a
JSON pointer (RFC 6901) for each kind of token, in a JSON body or in the events of a stream.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.limits import Credits, Limit
from gateway.domain.units import TOKENS, Unit

_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*){1,16}")
POINTER_CHARS_MAX = 200


class MeterError(ValueError):
    """A meter that measures nothing, or not what is priced."""


@dataclass(frozen=True, slots=True)
class UsageMeter:
    continuous: bool = False
    """The server tells running totals when it is asked to (vLLM, SGLang)."""

    def terms(self) -> dict[str, object]:
        return {"kind": "usage", "continuous": self.continuous}

    def reports(self, _unit: Unit) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class JsonMeter:
    tokens_in: str | None
    tokens_out: str | None

    def terms(self) -> dict[str, object]:
        return {"kind": "json", "tokens_in": self.tokens_in, "tokens_out": self.tokens_out}

    def reports(self, unit: Unit) -> bool:
        return {Unit.TOKENS_IN: self.tokens_in, Unit.TOKENS_OUT: self.tokens_out}[unit] is not None


Meter = UsageMeter | JsonMeter


def parse_meter(raw: object) -> Meter | None:
    if raw is None:
        return None
    fields = dict(raw) if isinstance(raw, dict) else {}
    kind = fields.pop("kind", None)
    if kind == "usage" and set(fields) <= {"continuous"}:
        continuous = fields.get("continuous", False)
        if isinstance(continuous, bool):
            return UsageMeter(continuous)
    if kind == "json" and set(fields) <= {"tokens_in", "tokens_out"}:
        meter = JsonMeter(_pointer(fields.get("tokens_in")), _pointer(fields.get("tokens_out")))
        if meter.tokens_in or meter.tokens_out:
            return meter
    raise MeterError(
        "meter is {kind: usage, continuous?} or {kind: json, tokens_in?, tokens_out?}."
    )


def _pointer(value: object) -> str | None:
    if value is None:
        return None
    if (
        not isinstance(value, str)
        or len(value) > POINTER_CHARS_MAX
        or not _POINTER.fullmatch(value)
    ):
        raise MeterError("meter: a JSON pointer such as /usage/prompt_tokens.")
    return value


def priced_tokens(limits: Sequence[Limit]) -> frozenset[Unit]:
    credits = [limit for limit in limits if isinstance(limit, Credits)]  # noqa: A001
    return frozenset(price.of for limit in credits for price in limit.per_unit) & TOKENS


def check(limits: Sequence[Limit], meter: Meter | None) -> None:
    """What is priced must be measured, and nothing is measured for no price."""
    priced = priced_tokens(limits)
    if meter is None:
        if priced:
            raise MeterError("meter: credits for tokens need one, to read them from.")
        return
    if not priced:
        raise MeterError("meter: no credits are priced by tokens.")
    if missing := sorted(unit for unit in priced if not meter.reports(unit)):
        raise MeterError(f"meter: it does not say where {missing[0]} are.")
