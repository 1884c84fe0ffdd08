from typing import Any

import pytest

from gateway.domain.limits import Calls, Credits
from gateway.domain.metering import JsonMeter, MeterError, UsageMeter, check, parse_meter
from gateway.domain.units import PerUnit, Unit

OUT = Credits(100, per_unit=(PerUnit(Unit.TOKENS_OUT, 1),))
IN = Credits(100, per_unit=(PerUnit(Unit.TOKENS_IN, 1),))
BYTES = Credits(100, per_unit=(PerUnit(Unit.BYTES, 1),))


@pytest.mark.parametrize(
    ("raw", "meter", "terms"),
    [
        ({"kind": "usage"}, UsageMeter(), {"kind": "usage", "continuous": False}),
        (
            {"kind": "json", "tokens_out": "/a~1b/0"},
            JsonMeter(None, "/a~1b/0"),
            {"kind": "json", "tokens_in": None, "tokens_out": "/a~1b/0"},
        ),
    ],
)
def test_terms_write_out_every_default(raw: Any, meter: Any, terms: Any) -> None:
    assert parse_meter(raw) == meter
    assert meter.terms() == terms
    assert parse_meter(terms) == meter


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"kind": "guess"},
        {"kind": "usage", "continuous": 1},
        {"kind": "usage", "x": 1},
        {"kind": "json"},
        {"kind": "json", "tokens_in": "usage"},
        {"kind": "json", "tokens_in": "/a~2"},
        {"kind": "json", "tokens_in": "/" + "a" * 300},
        "usage",
    ],
)
def test_meter_of_another_form_is_refused(raw: Any) -> None:
    with pytest.raises(MeterError):
        parse_meter(raw)


def test_what_is_priced_must_be_measured() -> None:
    for limits, meter in [
        ([OUT], None),
        ([Calls(1)], UsageMeter()),
        ([BYTES], UsageMeter()),
        ([IN], JsonMeter(None, "/out")),
    ]:
        with pytest.raises(MeterError):
            check(limits, meter)
    check([OUT, IN], UsageMeter())
    check([OUT], JsonMeter(None, "/out"))
    check([BYTES, Calls(1)], None)
