import pytest

from marketplace.domain.calling import BODY_LENGTH_MAX, Incomplete, build
from marketplace.domain.openapi import Body, Operation, Parameter

TEXT = {"type": "string"}


def operation(*parameters: Parameter, path: str = "/a", body: Body | None = None) -> Operation:
    return Operation("POST", path, "", "", "", parameters, body, streams=False)


def test_values_go_where_the_operation_has_them() -> None:
    asked = operation(
        Parameter("city", "path", True, "", TEXT),
        Parameter("days", "query", False, "", {"type": "integer"}),
        Parameter("tags", "query", False, "", {"type": "array"}),
        Parameter("X-Units", "header", False, "", TEXT),
        path="/v1/{city}/now",
        body=Body("application/json", False, {}),
    )
    values = {"path:city": "Le Mans", "query:days": "3", "query:tags": "a, b", "body": "{}"}
    call = build(asked, values | {"header:X-Units": "metric", "query:other": "not asked for"})
    assert (call.method, call.target) == ("POST", "/v1/Le%20Mans/now?days=3&tags=a&tags=b")
    assert call.headers == (("X-Units", "metric"), ("content-type", "application/json"))
    assert call.body == "{}"


@pytest.mark.parametrize("value", ["../admin", "a/b", "a?b=c", "a#b", "%2e%2e", "ä\r\nX: y"])
def test_a_value_of_the_path_stays_one_word_of_it(value: str) -> None:
    asked = operation(Parameter("id", "path", True, "", TEXT), path="/v1/{id}")
    target = build(asked, {"path:id": value}).target
    assert target.startswith("/v1/")
    assert not set("/?#\r\n") & set(target.removeprefix("/v1/"))


@pytest.mark.parametrize("value", ["", " ", ".", "..", "x" * 2_001])
def test_what_cannot_be_a_word_is_refused(value: str) -> None:
    asked = operation(Parameter("id", "path", True, "", TEXT), path="/v1/{id}")
    with pytest.raises(Incomplete):
        build(asked, {"path:id": value})


@pytest.mark.parametrize(
    ("value", "target"), [("", "/v1"), ("a/b c", "/v1/a/b%20c"), ("/a?b", "/v1/a%3Fb")]
)
def test_the_rest_of_a_path_may_be_left_out(value: str, target: str) -> None:
    asked = operation(Parameter("path", "path", False, "", {}), path="/v1/{path}")
    assert build(asked, {"path:path": value}).target == target


def test_a_header_cannot_begin_another() -> None:
    asked = operation(Parameter("X-A", "header", False, "", TEXT))
    for value in ("a\r\nHost: b", "ü", "a\0b"):
        with pytest.raises(Incomplete, match="header"):
            build(asked, {"header:X-A": value})


def test_a_body_is_there_where_it_is_needed_and_bounded() -> None:
    needed = operation(body=Body("application/json", True, {}))
    for written in ("", " \n", "x" * (BODY_LENGTH_MAX + 1)):
        with pytest.raises(Incomplete):
            build(needed, {"body": written})
    assert build(operation(), {"body": "ignored"}).body is None


@pytest.mark.parametrize("value", ["../admin", "a/../../metrics", "./a", "a/.."])
def test_the_rest_of_a_path_leads_nowhere_else(value: str) -> None:
    asked = operation(Parameter("path", "path", False, "", {}), path="/v1/{path}")
    with pytest.raises(Incomplete):
        build(asked, {"path:path": value})
