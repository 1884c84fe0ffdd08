"""Credits that are paid by use, and where it is read, as fields of the price form."""

from typing import TypeAlias

from django import forms

from gateway.domain.limits import parse_limits
from gateway.domain.metering import check, parse_meter
from gateway.domain.units import INTEGER_MAX, Unit, parse_per_unit
from marketplace.domain.quotes import Json, JsonObject

Fields: TypeAlias = dict[str, object]

LABELS = {
    Unit.TOKENS_IN: "Tokens in",
    Unit.TOKENS_OUT: "Tokens out",
    Unit.BYTES: "Bytes answered",
}
KINDS = [
    ("", "nothing"),
    ("usage", "the usage that a model server reports (OpenAI, Ollama, llama.cpp, TGI, Anthropic)"),
    ("continuous", "the same, with running totals (vLLM, SGLang)"),
    ("json", "JSON pointers into the answer"),
]
FIELDS = [
    *(f"by_{unit}_{name}" for unit in LABELS for name in ("credits", "units")),
    *("meter_kind", "meter_tokens_in", "meter_tokens_out"),
]


def _count(initial: int | None = None) -> forms.IntegerField:
    return forms.IntegerField(required=False, min_value=1, max_value=INTEGER_MAX, initial=initial)


def _pointer() -> forms.CharField:
    return forms.CharField(
        required=False, max_length=200, help_text="Such as /usage/total_tokens (RFC 6901)."
    )


class MeterForm(forms.Form):
    """Only these fields: the price form mixes them in."""

    by_tokens_in_credits = _count()
    by_tokens_in_units = _count(1000)
    by_tokens_out_credits = _count()
    by_tokens_out_units = _count(1000)
    by_bytes_credits = _count()
    by_bytes_units = _count(1000)
    meter_kind = forms.ChoiceField(required=False, choices=KINDS)
    meter_tokens_in = _pointer()
    meter_tokens_out = _pointer()


def lines(form: forms.BaseForm) -> list[dict[str, object]]:
    """For the template."""
    return [
        {
            "label": label,
            "credits": form[f"by_{unit}_credits"],
            "units": form[f"by_{unit}_units"],
        }
        for unit, label in LABELS.items()
    ]


def initial(limits: list[JsonObject], meter: JsonObject | None) -> Fields:
    fields: Fields = {}
    for price in parse_per_unit(_credits(limits).get("per_unit")):
        fields[f"by_{price.of}_credits"] = price.credits
        fields[f"by_{price.of}_units"] = price.units
    if meter is not None:
        fields["meter_kind"] = "continuous" if meter.get("continuous") else meter["kind"]
        fields["meter_tokens_in"] = meter.get("tokens_in") or ""
        fields["meter_tokens_out"] = meter.get("tokens_out") or ""
    return fields


def collect(form: forms.BaseForm, cleaned: Fields, limits: list[JsonObject]) -> JsonObject | None:
    """Prices go into the credits limit among `limits`; the meter is the answer."""
    prices: list[Json] = [
        {
            "of": unit.value,
            "credits": _integer(cleaned[f"by_{unit}_credits"]),
            "units": _integer(cleaned.get(f"by_{unit}_units") or 1),
        }
        for unit in LABELS
        if cleaned.get(f"by_{unit}_credits") is not None
    ]
    limit = _credits(limits)
    if prices and not limit:
        form.add_error("credits_amount", "Say how many credits are sold: units are paid in them.")
        return None
    if limit:
        limit["per_unit"] = prices[0] if len(prices) == 1 else prices or None
    meter = _meter(cleaned)
    try:
        check(parse_limits(limits), parse_meter(meter))
    except ValueError as exc:
        form.add_error("meter_kind", str(exc).removeprefix("meter: "))
    return meter


def _meter(cleaned: Fields) -> JsonObject | None:
    kind = cleaned.get("meter_kind")
    if kind == "json":
        pointers = {
            name: str(cleaned.get(f"meter_{name}") or "") or None
            for name in ("tokens_in", "tokens_out")
        }
        return {"kind": "json", **pointers}
    return {"kind": "usage", "continuous": kind == "continuous"} if kind else None


def _credits(limits: list[JsonObject]) -> JsonObject:
    return next((limit for limit in limits if limit["kind"] == "credits"), {})


def _integer(value: object) -> int:
    return int(str(value))
