"""A value that a schema would take, to begin with: its author's example, else the least."""

from collections.abc import Mapping

from marketplace.domain.openapi import resolve
from marketplace.domain.structured import Json

DEPTH_MAX = 6
PROPERTIES_MAX = 30


def sample(body: Mapping[str, Json], schema: Json, deeper: int = DEPTH_MAX) -> Json:
    """`body` is the document that the schema's references lead into."""
    told = resolve(body, schema)
    if (given := _given(told)) is not None:
        return given
    parts = told.get("allOf")
    if isinstance(parts, list) and deeper:
        return _together(body, parts[:PROPERTIES_MAX], deeper)
    for choice in ("oneOf", "anyOf"):
        options = told.get(choice)
        if isinstance(options, list) and options and deeper:
            return sample(body, options[0], deeper - 1)
    return _of_type(body, told, deeper)


def kind(schema: Mapping[str, Json]) -> str:
    """The schema's type; the first that is not null where there are several."""
    named = schema.get("type")
    if isinstance(named, list):
        named = next((each for each in named if each != "null"), None)
    if isinstance(named, str):
        return named
    return "object" if isinstance(schema.get("properties"), dict) else "string"


def _given(told: Mapping[str, Json]) -> Json:
    for key in ("example", "default", "const"):
        if told.get(key) is not None:
            return told[key]
    for key in ("examples", "enum"):
        if isinstance(told.get(key), list) and told[key]:
            return told[key][0]
    return None


def _together(body: Mapping[str, Json], parts: list[Json], deeper: int) -> Json:
    whole: dict[str, Json] = {}
    for part in parts:
        value = sample(body, part, deeper - 1)
        if isinstance(value, dict):
            whole |= value
    return whole


def _of_type(body: Mapping[str, Json], told: Mapping[str, Json], deeper: int) -> Json:
    match kind(told):
        case "object":
            return _object(body, told, deeper) if deeper else {}
        case "array":
            return [sample(body, told.get("items"), deeper - 1)] if deeper else []
        case "integer" | "number":
            least = told.get("minimum")
            return least if isinstance(least, int | float) else 0
        case "boolean":
            return False
    return "string"


def _object(body: Mapping[str, Json], told: Mapping[str, Json], deeper: int) -> Json:
    properties = told.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = told.get("required")
    names = [name for name in required or [] if name in properties] if required else []
    shown = names or list(properties)
    return {name: sample(body, properties[name], deeper - 1) for name in shown[:PROPERTIES_MAX]}
