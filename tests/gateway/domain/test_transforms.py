from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.headers import Pair
from gateway.domain.reading import Object, Unreadable
from gateway.domain.transforms import (
    Credential,
    Transform,
    TransformError,
    credential_of,
    header_line,
    header_name,
    host_of,
    prefix_of,
    transform,
)

IN_HEADER = Credential(in_query=False, name="x-api-key", value="hidden")
IN_QUERY = Credential(in_query=True, name="api_key", value="hid den&x=1")
NAMES = st.sampled_from(["x-api-key", "x_api_key", "accept", "x-api-keys", "referer"])


def read(**said: Any) -> Transform:
    return transform(Object(said, "transform"))


@pytest.mark.parametrize(
    ("strip", "add", "path", "sent"),
    [
        ("", "", "/a/b", "/a/b"),
        ("/a", "", "/a/b", "/b"),
        ("/a", "", "/a", "/"),
        ("/a", "", "/ab", "/ab"),
        ("", "/v2", "/a", "/v2/a"),
        ("/a", "/v2", "/a/b", "/v2/b"),
        ("/a", "/v2", "/c", "/v2/c"),
    ],
)
def test_prefixes_change_by_whole_segments(strip: str, add: str, path: str, sent: str) -> None:
    assert Transform(strip_prefix=strip, add_prefix=add).path(path) == sent


@given(st.lists(st.tuples(NAMES, st.text("abc", max_size=3)), max_size=8))
def test_credential_is_the_only_one_under_its_name(headers: list[Pair]) -> None:
    sent = Transform(credential=IN_HEADER).request(headers, "gate.example")
    keys = [pair for pair in sent if pair[0].replace("_", "-") == "x-api-key"]
    assert keys == [("x-api-key", "hidden")]
    others = [pair for pair in headers if pair[0].replace("_", "-") != "x-api-key"]
    assert sent[:-1] == others


@given(
    st.lists(
        st.sampled_from(
            ["api_key=mine", "api%5Fkey=mine", "a=1", "api_key", "b=%26", "api_keys=2"]
        ),
        max_size=6,
    )
)
def test_credential_in_the_query_is_the_only_one_under_its_name(parts: list[str]) -> None:
    query = Transform(credential=IN_QUERY).query("&".join(parts))
    read_back = parse_qsl(query, keep_blank_values=True)
    assert [value for name, value in read_back if name == "api_key"] == [IN_QUERY.value]
    kept = [part for part in parts if part.startswith(("a=", "b=", "api_keys"))]
    assert query.split("&")[:-1] == kept


def test_headers_are_set_and_removed_both_ways() -> None:
    changes = read(
        request_set=["X-Plan: gold"],
        request_remove=["Referer"],
        response_set=["X-Frame-Options: DENY"],
        response_remove=["X-Powered-By"],
    )
    asked = [("referer", "a"), ("x-plan", "mine"), ("x_plan", "mine"), ("accept", "b")]
    assert changes.request(asked, "") == [("accept", "b"), ("x-plan", "gold")]
    answered = [("x-powered-by", "a"), ("x-frame-options", "ALLOW"), ("etag", "c")]
    assert changes.response(answered) == [("etag", "c"), ("x-frame-options", "DENY")]


def test_host_is_kept_given_or_left_to_the_upstream() -> None:
    assert Transform().request([], "gate.example") == []
    assert Transform(keeps_host=True).request([], "gate.example") == [("host", "gate.example")]
    assert Transform(keeps_host=True).request([], "not a host") == []
    assert Transform(host="api.internal").request([], "gate.example") == [("host", "api.internal")]


def test_credential_is_not_shown() -> None:
    found = read(credential={"in": "header", "name": "Authorization", "value": "Bearer hidden"})
    assert found.credential == Credential(False, "authorization", "Bearer hidden")
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "TE",
        "Upgrade",
        "Content-Encoding",
        "Forwarded",
        "X-Forwarded-For",
        "ApiCharge",
        "ApiCharge-Buyer",
        "X-ApiCharge-Any",
        "RateLimit",
        "Cookie",
        "Set-Cookie",
        "x_forwarded_for",
        "",
        "two words",
        "x\r\ny",
        "ünicode",
    ],
)
def test_names_that_are_not_a_providers_are_refused(name: str) -> None:
    with pytest.raises(TransformError):
        header_name(name)
    with pytest.raises(TransformError):
        credential_of("header", name, "x")


@pytest.mark.parametrize(
    "line", ["x-a", "x-a:", "x-a: \x00", "x-a: a\r\nb", "x-a: é", "x-a: " + "x" * 2001]
)
def test_lines_that_are_no_header_are_refused(line: str) -> None:
    with pytest.raises(TransformError):
        header_line(line)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"strip_prefix": "/a/../b"}, TransformError),
        ({"add_prefix": "/a b"}, TransformError),
        ({"host": "a b"}, TransformError),
        ({"credential": {"in": "cookie", "name": "a", "value": "b"}}, TransformError),
        ({"credential": {"in": "query", "name": "a&b", "value": "b"}}, TransformError),
        ({"credential": {"in": "query", "name": "a"}}, Unreadable),
        ({"request_set": ["x-a: b"] * 33}, Unreadable),
        ({"request_set": "x-a: b"}, Unreadable),
    ],
)
def test_rules_that_say_too_much_are_refused(said: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(**said)


def test_prefix_and_host_are_written_in_one_way() -> None:
    assert (prefix_of(""), prefix_of("/v2/"), prefix_of("/")) == ("", "/v2", "")
    assert (host_of(""), host_of("API.example:8080")) == ("", "api.example:8080")
