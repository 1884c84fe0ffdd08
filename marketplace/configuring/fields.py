"""Which fields a document has, and what may be in them: read off the models."""

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeAlias

from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models

from marketplace.admin.service_form import TAG, TAG_LENGTH_MAX, TAGS_MAX, ServiceForm
from marketplace.domain.quotes import Json, JsonObject
from marketplace.guarded import SAID
from marketplace.models import Provider, Route, RouteQuote, Service

PROVIDER = ("name", "about")
# Where a service stands is staff's business; its category and provider are rows of their own.
NOT_OF_A_SERVICE = {"provider", "category", "featured", "host", "root_path"}
ROUTE: tuple[str, ...] = (
    "slug",
    "name",
    "path",
    "methods",
    "description",
    "connect_ms",
    "first_byte_ms",
)
ROUTE += ("idle_ms", "message_bytes_max", *SAID)
PRICE = ("starts", "charge", "adjustable")
WHOLE = (models.PositiveIntegerField, models.PositiveSmallIntegerField)
WHOLE += (models.PositiveBigIntegerField,)  # type: ignore[assignment]
NUMBER_MAX = 2**53 - 1
LINES: JsonObject = {
    "type": "array",
    "items": {"type": "string", "maxLength": 300},
    "maxItems": 100,
}
TAGS: JsonObject = {
    "type": "array",
    "items": {"type": "string", "pattern": f"^{TAG.pattern}$", "maxLength": TAG_LENGTH_MAX},
    "maxItems": TAGS_MAX,
    "uniqueItems": True,
}
CHOSEN = {"protocols": Service.Protocol, "regions": Service.Region}
REQUIRED = {
    Provider: ["name"],
    Service: ["slug", "name", "tagline"],
    Route: ["slug", "name", "path"],
}
Said: TypeAlias = dict[str, Any]
"""A part of a document whose shape the schema has checked."""
Model = type[Provider] | type[Service] | type[Route] | type[RouteQuote]


@cache
def service_fields() -> tuple[str, ...]:
    """What the console's form asks a provider for, whichever fields that comes to be."""
    asked = [name for name in ServiceForm.Meta.fields if name not in NOT_OF_A_SERVICE]
    return tuple(name for name in asked if _schema(_field(Service, name)) is not None)


def _field(model: Model, name: str) -> "models.Field[object, object]":
    field = model._meta.get_field(name)  # noqa: SLF001  Django offers no other way
    assert isinstance(field, models.Field)
    return field


def default(model: Model, name: str) -> Json:
    field = model._meta.get_field(name)  # noqa: SLF001
    assert isinstance(field, models.Field)
    value: Json = field.get_default()
    return None if value == "" and field.null else value


def schema(model: Model, names: Iterable[str]) -> JsonObject:
    """JSON Schema of an object with these fields; those without a default are required."""
    properties: JsonObject = {name: _schema(_field(model, name)) for name in names}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*REQUIRED.get(model, [])],
        "properties": properties,
    }


def _schema(field: "models.Field[object, object]") -> JsonObject | None:
    said: JsonObject = {"description": str(field.help_text)} if field.help_text else {}
    if field.choices:
        return said | {"enum": [str(value) for value, _label in field.flatchoices]}
    if isinstance(field, models.BooleanField):
        return said | {"type": "boolean"}
    if isinstance(field, models.JSONField):
        return said | _several(field.name)
    if isinstance(field, WHOLE):
        return said | _whole(field)
    if isinstance(field, models.CharField | models.TextField):
        return said | {"type": "string", "maxLength": _longest(field)}
    return None


def _several(name: str) -> JsonObject:
    if name == "tags":
        return TAGS
    if known := CHOSEN.get(name):
        return {"type": "array", "items": {"enum": [*known.values]}, "uniqueItems": True}
    return LINES


def _whole(field: "models.Field[object, object]") -> JsonObject:
    least, most = 0, NUMBER_MAX
    for validator in field.validators:
        if isinstance(validator, MinValueValidator):
            least = max(least, int(str(validator.limit_value)))
        if isinstance(validator, MaxValueValidator):
            most = min(most, int(str(validator.limit_value)))
    kind: Json = ["integer", "null"] if field.null else "integer"
    return {"type": kind, "minimum": least, "maximum": most}


def _longest(field: "models.Field[object, object]") -> int:
    bounds = [each.limit_value for each in field.validators if isinstance(each, MaxLengthValidator)]
    return min([int(str(bound)) for bound in bounds], default=field.max_length or 20_000)
