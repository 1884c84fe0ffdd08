import json

import pytest

from gateway.domain.asking import ask_for_usage, may_stream


def asked(continuous: bool = False, **document: object) -> tuple[object, bool]:
    made = ask_for_usage(json.dumps(document).encode(), continuous=continuous)
    return json.loads(made.body), made.hides


def test_stream_is_asked_to_report_and_its_report_hidden() -> None:
    document, hides = asked(stream=True, model="m", stream_options={"x": 1})
    assert hides
    assert document == {
        "stream": True,
        "model": "m",
        "stream_options": {"x": 1, "include_usage": True},
    }


def test_client_that_asked_gets_what_it_asked_for() -> None:
    given = {"stream": True, "stream_options": {"include_usage": True}}
    assert asked(**given) == (given, False)


def test_backend_that_knows_running_totals_is_asked_for_them() -> None:
    document, hides = asked(continuous=True, stream=True, stream_options={"include_usage": True})
    assert not hides
    assert document == {
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }


@pytest.mark.parametrize("body", [b'{"stream": false}', b"[]", b"{", b"\xff", b"[" * 100_000])
def test_other_bodies_go_on_to_the_byte(body: bytes) -> None:
    assert ask_for_usage(body, continuous=True) == (body, False)


@pytest.mark.parametrize(
    ("method", "path", "content_type", "may"),
    [
        ("POST", "/v1/chat/completions", "application/json; charset=utf-8", True),
        ("POST", "/v1/completions/", "application/json", True),
        ("GET", "/v1/completions", "application/json", False),
        ("POST", "/api/chat", "application/json", False),
        ("POST", "/v1/completions", "text/plain", False),
    ],
)
def test_only_completions_may_be_asked(
    method: str, path: str, content_type: str, may: bool
) -> None:
    assert may_stream(method, path, content_type) is may
