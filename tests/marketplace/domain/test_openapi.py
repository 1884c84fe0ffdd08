import copy
from typing import Any

import pytest

from marketplace.domain import openapi
from marketplace.domain.structured import Malformed
from tests.marketplace.documents import WEATHER


def changed(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(WEATHER), **parts}


def with_operation(**parts: Any) -> dict[str, Any]:
    return changed(paths={"/a": {"get": {"responses": {}, **parts}}})


def test_operations_are_read_with_parameters_and_body() -> None:
    read = openapi.document(WEATHER)
    assert (read.title, read.version) == ("Weather", "2.1")
    keys = [each.key for each in read.operations]
    assert keys == ["GET /v1/forecast/{city}", "POST /v1/batches", "GET /v1/batches/{id}/events"]
    forecast, batch, events = read.operations
    assert forecast.summary == "The forecast of a city"
    assert [(each.name, each.place, each.required) for each in forecast.parameters] == [
        ("city", "path", True),
        ("days", "query", False),
        ("X-Units", "header", False),
    ]
    assert forecast.parameters[1].schema == {"type": "integer", "minimum": 1, "maximum": 14}
    assert batch.body is not None
    assert (batch.body.content_type, batch.body.required) == ("application/json", True)
    assert batch.body.schema["properties"]["cities"]["type"] == "array"
    assert (forecast.streams, events.streams) == (False, True)


def test_a_parameter_of_the_path_that_nobody_declared_is_there() -> None:
    events = openapi.document(WEATHER).operations[2]
    assert [(each.name, each.required) for each in events.parameters] == [("id", True)]


def test_what_is_not_true_behind_the_gate_is_left_out() -> None:
    written = changed(
        servers=[{"url": "https://internal.example/base/"}, {"url": "/relative"}],
        security=[{"key": []}],
        webhooks={"x": {"post": {}}},
    )
    written["x-order"] = 1
    operation = written["paths"]["/v1/batches"]["post"]
    operation |= {"security": [{"key": []}], "servers": [{"url": "https://internal.example"}]}
    operation |= {"callbacks": {"done": {}}, "x-codeSamples": [{"source": "rm"}]}
    operation["parameters"] = [
        {"name": "Authorization", "in": "header", "schema": {}},
        {"name": "apicharge", "in": "header", "schema": {}},
        {"name": "session", "in": "cookie", "schema": {}},
    ]
    read = openapi.document(written)
    assert read.servers == ("https://internal.example/base",)
    assert "internal.example" not in str(read.body)
    assert sorted(read.body) == ["components", "info", "openapi", "paths", "tags"]
    assert "securitySchemes" not in read.body["components"]
    kept = read.body["paths"]["/v1/batches"]["post"]
    assert not {"security", "servers", "callbacks", "x-codeSamples"} & set(kept)
    assert kept["parameters"] == []


def test_a_document_that_was_kept_reads_as_the_same_operations() -> None:
    read = openapi.document(WEATHER)
    assert openapi.operations(read.body) == read.operations
    assert openapi.document({**read.body}).body == read.body


@pytest.mark.parametrize(
    "written",
    [
        [],
        "text",
        None,
        {"swagger": "2.0", "paths": {}},
        {"openapi": "4.0.0"},
        changed(info="x"),
        changed(paths={}),
        changed(paths=[1]),
        changed(paths={"/a": {"get": "x"}}),
        changed(paths={"a": {"get": {}}}),
        changed(paths={"/a?b=c": {"get": {}}}),
        changed(paths={"/../a": {"get": {}}}),
        changed(paths={"/a%2fb": {"get": {}}}),
        changed(paths={"/{a": {"get": {}}}),
        changed(paths={"/a\nb": {"get": {}}}),
        changed(paths={"/" + "a" * 300: {"get": {}}}),
        changed(paths={f"/{i}": {"get": {}} for i in range(openapi.OPERATIONS_MAX + 1)}),
        with_operation(parameters=[{"name": f"p{i}", "in": "query"} for i in range(61)]),
    ],
    ids=str,
)
def test_what_is_no_document_is_refused(written: Any) -> None:
    with pytest.raises(Malformed):
        openapi.document(written)


@pytest.mark.parametrize(
    "reference",
    ["http://169.254.169.254/latest", "file:///etc/passwd", "other.yaml#/a", "//evil.example/x"],
)
def test_nothing_outside_of_the_document_is_referred_to(reference: str) -> None:
    for written in (
        with_operation(requestBody={"$ref": reference}),
        changed(paths={"/a": {"$ref": reference}}),
        changed(components={"schemas": {"A": {"items": [{"$ref": reference}]}}}),
    ):
        with pytest.raises(Malformed, match="outside"):
            openapi.document(written)


def test_references_in_a_circle_lead_nowhere() -> None:
    circle = {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}
    schema = {"schema": {"$ref": "#/components/schemas/A"}}
    body = {"content": {"application/json": schema}}
    written = with_operation(requestBody=body)
    written["components"] = {"schemas": circle}
    found = openapi.document(written).operations[0].body
    assert found is not None
    assert found.schema == {}


@pytest.mark.parametrize(
    "strange",
    [
        {"parameters": "x", "requestBody": "x", "responses": "x", "tags": "x"},
        {"parameters": [1, {"name": 1, "in": 2}, {"name": "a"}, {"$ref": "#/nowhere"}]},
        {"requestBody": {"content": "x"}, "responses": {"200": 1, "x-a": 2}},
        {"requestBody": {"content": {"text/plain": 1}}},
        {"responses": {"200": {"content": {"text/plain": {"schema": 1}}}}, "tags": [1, {}]},
        {"requestBody": {"content": {"application/json": {"schema": 1}}}},
    ],
)
def test_parts_of_strange_shapes_are_left_out(strange: dict[str, Any]) -> None:
    (found,) = openapi.document(with_operation(**strange)).operations
    assert found.key == "GET /a"
    assert found.parameters == ()


def test_a_property_may_be_named_as_a_reference_is() -> None:
    schemas = {"A": {"type": "object", "properties": {"$ref": {"type": "string"}}}}
    assert openapi.document(changed(components={"schemas": schemas})).operations
