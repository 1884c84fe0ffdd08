"""The JSON Schema (2020-12) of a configuration."""

from django.conf import settings

from marketplace.configuring import fields
from marketplace.domain import configurations
from marketplace.domain.quotes import LIMITS_MAX, NAME_LENGTH_MAX, Json, JsonObject
from marketplace.models import ACCESS_SECONDS_MAX, Provider, Route, RouteQuote, Service

SERVICES_MAX, ROUTES_MAX, PRICES_MAX, UPSTREAMS_MAX = 100, 100, 50, 16
AMOUNT = r"^[0-9]{1,12}(\.[0-9]{1,7})?$"


def schema() -> JsonObject:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{settings.ORIGIN}/schemas/configuration.json",
        "title": "The configuration of a provider",
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "provider", "services"],
        "properties": {
            "format": {"const": configurations.FORMAT},
            configurations.BASED_ON: {
                "description": "What this was exported from. Where that is no longer so, the "
                "document is refused. Null: whatever is there is replaced.",
                "type": ["string", "null"],
                "pattern": "^[0-9a-f]{64}$",
            },
            "provider": fields.schema(Provider, fields.PROVIDER),
            "services": _list(_service(), SERVICES_MAX),
        },
    }


def _service() -> JsonObject:
    return _with(
        fields.schema(Service, fields.service_fields()),
        {
            "category": {"description": "A category's slug.", "type": ["string", "null"]},
            "upstreams": _list(_upstream(), UPSTREAMS_MAX),
            "routes": _list(_route(), ROUTES_MAX),
        },
    )


def _upstream() -> JsonObject:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["url"],
        "properties": {
            "url": {"type": "string", "minLength": 1, "maxLength": 500},
            "weight": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
        },
    }


def _route() -> JsonObject:
    return _with(fields.schema(Route, fields.ROUTE), {"prices": _list(_price(), PRICES_MAX)})


def _price() -> JsonObject:
    own: JsonObject = {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH_MAX},
        "state": {"enum": ["published", "draft"], "default": "published"},
        "price": {
            "description": "In units of the asset, as text.",
            "type": "string",
            "pattern": AMOUNT,
        },
        "asset": {"enum": [*settings.CHAIN.assets]},
        "access_seconds": {"type": "integer", "minimum": 1, "maximum": ACCESS_SECONDS_MAX},
        "meter": {"type": ["object", "null"]},
        "limits": _list({"type": "object", "required": ["kind"]}, LIMITS_MAX),
    }
    terms = _with(fields.schema(RouteQuote, fields.PRICE), own)
    return terms | {"required": ["name", "price", "asset", "access_seconds"]}


def _with(described: JsonObject, more: JsonObject) -> JsonObject:
    properties = described["properties"]
    assert isinstance(properties, dict)
    return described | {"properties": properties | more}


def _list(item: Json, most: int) -> JsonObject:
    return {"type": "array", "maxItems": most, "items": item}
