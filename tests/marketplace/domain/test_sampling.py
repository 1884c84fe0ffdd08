from typing import Any

import pytest

from marketplace.domain.sampling import kind, sample

NODE = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
DOCUMENT: dict[str, Any] = {"components": {"schemas": {"Node": NODE}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "boolean"}, False),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string", "example": "x", "default": "y"}, "x"),
        ({"default": 0}, 0),
        ({"examples": ["e"]}, "e"),
        ({"type": ["null", "integer"]}, 0),
        ({"type": "array", "items": {"type": "number"}}, [0]),
        ({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "string"}),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, 0),
        (
            {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
            {"a": "string", "b": "string"},
        ),
        ({}, "string"),
        ("nonsense", "string"),
        ({"properties": "nonsense", "required": 7, "type": "object"}, {}),
    ],
    ids=str,
)
def test_the_least_that_a_schema_takes(schema: object, value: object) -> None:
    assert sample({}, schema) == value


def test_a_schema_within_itself_ends() -> None:
    assert str(sample(DOCUMENT, {"$ref": "#/components/schemas/Node"})).count("next") < 10


def test_kinds() -> None:
    assert kind({"type": ["null", "array"]}) == "array"
    assert kind({"properties": {}}) == "object"
    assert kind({"type": 7}) == "string"
