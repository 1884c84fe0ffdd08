"""A document as somebody wrote it: read, checked against the schema, completed, compared."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from gateway.domain import metering
from gateway.domain.limits import LimitError, parse_limits
from marketplace.configuring import fields
from marketplace.configuring.exporting import export
from marketplace.configuring.fields import Said
from marketplace.configuring.schema import schema
from marketplace.domain import configurations, plans, structured
from marketplace.domain.configurations import Change
from marketplace.domain.quotes import Json, JsonObject
from marketplace.models import Provider, Route, RouteQuote, Service

PROBLEMS_SHOWN = 20


class Refused(ValueError):
    """Why nothing was changed, in words, each with its place in the document."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Plan:
    provider: Provider
    document: JsonObject  # Completed.
    based_on: str  # The digest of what it was compared with.
    changes: tuple[Change, ...]


def read(text: bytes) -> JsonObject:
    """JSON or YAML, within bounds. The shape is `plan`'s business."""
    try:
        document = structured.read(text)
    except structured.Malformed as exc:
        raise Refused([str(exc)]) from exc
    if not isinstance(document, dict):
        raise Refused(["The document must be an object."])
    return document


def plan(provider: Provider, document: JsonObject) -> Plan:
    """What `document` would change. Raises `Refused`."""
    _check_shape(document)
    current = export(provider)
    now = str(current[configurations.BASED_ON])
    based_on = document.get(configurations.BASED_ON)
    if based_on is not None and based_on != now:
        raise Refused(["This was made from a configuration that changed since: export it again."])
    whole = complete(document)
    return Plan(provider, whole, now, tuple(configurations.changes(current, whole)))


def _check_shape(document: JsonObject) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    found = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
    if found:
        raise Refused([_said(error) for error in found[:PROBLEMS_SHOWN]])


def _said(error: jsonschema.ValidationError) -> str:
    where = "/".join(str(part) for part in error.absolute_path) or "the document"
    return f"{where}: {error.message[:200]}"


def complete(document: JsonObject) -> JsonObject:
    """With every default written out, as an export has it."""
    services: Any = document["services"]
    provider = document["provider"]
    assert isinstance(provider, dict)
    body: JsonObject = {
        "format": configurations.FORMAT,
        "provider": _filled(Provider, fields.PROVIDER, provider),
        "services": _distinct("services", "slug", [_service(each) for each in services]),
    }
    return body | {configurations.BASED_ON: document.get(configurations.BASED_ON)}


def _service(raw: Said) -> JsonObject:
    said = _filled(Service, fields.service_fields(), raw)
    where = f"services/{raw['slug']}"
    upstreams: list[Json] = [{"weight": 1, **each} for each in raw.get("upstreams", [])]
    routes = [_route(where, each) for each in raw.get("routes", [])]
    return said | {
        "category": raw.get("category"),
        "upstreams": _distinct(f"{where}/upstreams", "url", upstreams),
        "routes": _distinct(f"{where}/routes", "slug", routes),
    }


def _route(where: str, raw: Said) -> JsonObject:
    here = f"{where}/routes/{raw['slug']}"
    prices = [_price(here, each) for each in raw.get("prices", [])]
    offers = [(price["name"], price["state"]) for price in prices]
    if len(set(offers)) < len(offers):
        raise Refused([f"{here}/prices: each name once as published, and once as a draft."])
    return _filled(Route, fields.ROUTE, raw) | {"prices": [*prices]}


def _price(where: str, raw: Said) -> JsonObject:
    here = f"{where}/prices/{raw['name']}"
    try:
        limits = parse_limits(raw.get("limits", []))
        meter = metering.parse_meter(raw.get("meter"))
        metering.check(limits, meter)
        amount = plans.parse_amount(raw["price"])
    except (LimitError, metering.MeterError, plans.AmountError) as exc:
        raise Refused([f"{here}: {exc}"]) from exc
    return _filled(RouteQuote, fields.PRICE, raw) | {
        "name": raw["name"].strip(),
        "state": raw.get("state", "published"),
        "price": plans.show_amount(amount).replace(",", ""),
        "asset": raw["asset"],
        "access_seconds": raw["access_seconds"],
        "meter": None if meter is None else _plain(meter.terms()),
        "limits": _plain([limit.terms() for limit in limits]),
    }


def _plain(terms: object) -> Json:
    plain: Json = json.loads(json.dumps(terms))
    return plain


def _filled(model: fields.Model, names: Sequence[str], raw: Said) -> JsonObject:
    return {name: raw.get(name, fields.default(model, name)) for name in names}


def _distinct(where: str, key: str, rows: Sequence[Json]) -> list[Json]:
    keys = [row[key] for row in rows if isinstance(row, dict)]
    if twice := sorted({str(each) for each in keys if keys.count(each) > 1}):
        raise Refused([f"{where}: {', '.join(twice)} is there twice."])
    return [*rows]
