import pytest

from gateway.domain.answers import (
    adjusted,
    consumed,
    pass_on,
    preflight,
    privately,
    trailing,
)


def crossing(*items: tuple[str, str], own_host: bool = False, status: int = 200) -> dict[str, str]:
    head = pass_on(items, status=status, own_host=own_host)
    return {name.decode(): value.decode("latin-1") for name, value in head.headers}


@pytest.mark.parametrize(
    "name",
    [
        *("connection", "transfer-encoding", "keep-alive", "upgrade", "alt-svc", "te", "trailer"),
        *("strict-transport-security", "clear-site-data", "service-worker-allowed"),
        *("server", "date", "ratelimit", "ratelimit-policy", "x-ratelimit-limit"),
        *("apicharge-expires", "apicharge-consume", "apicharge-adjust", "x-apicharge-x"),
        *("access-control-allow-origin", "access-control-allow-credentials", "set-cookie"),
    ],
)
def test_header_of_the_hop_the_origin_or_the_gate_does_not_cross(name: str) -> None:
    assert name not in crossing((name, "1"))


def test_own_host_keeps_its_cookies_but_for_no_other_host() -> None:
    assert "set-cookie" in crossing(("set-cookie", "a=1; Path=/"), own_host=True)
    assert "set-cookie" not in crossing(("set-cookie", "a=1; Domain=x"), own_host=True)
    assert "set-cookie" not in crossing(("set-cookie", "a=1; domain = x"), own_host=True)


def test_main_host_gives_a_page_an_origin_of_its_own() -> None:
    policy = ("content-security-policy", "default-src *")
    assert crossing(policy)["content-security-policy"] == "sandbox"
    assert crossing(policy)["x-content-type-options"] == "nosniff"
    assert crossing(policy, own_host=True)["content-security-policy"] == "default-src *"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, b"private"),
        ("public, max-age=60", b"private, max-age=60"),
        ("no-store", b"private, no-store"),
        ("s-maxage=5,  Private ,must-revalidate", b"private, must-revalidate"),
        ('private="x"', b"private"),
    ],
)
def test_no_shared_cache_may_keep_an_answer(said: str | None, kept: bytes) -> None:
    assert privately(said) == kept


def test_length_is_believed_only_without_another_framing() -> None:
    assert pass_on([("content-length", "5")], status=200, own_host=False).length == 5
    both = [("content-length", "5"), ("transfer-encoding", "chunked")]
    assert pass_on(both, status=200, own_host=False).length is None
    without = pass_on([("content-length", "5")], status=304, own_host=False)
    assert (without.length, without.has_body) == (None, False)
    assert "content-length" not in crossing(("content-length", "5"), status=304)


def test_event_stream_is_known() -> None:
    head = pass_on(
        [("content-type", "Text/Event-Stream; charset=utf-8")], status=200, own_host=True
    )
    assert head.is_events
    assert not head.is_encoded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("credits=12, calls=0", {"credits": 12, "calls": 0}),
        (" credits = 3 ", {"credits": 3}),
        ("credits=-1", {}),
        ("credits=1e3", {}),
        ("credits=99999999999999999999", {}),
        ("credits=9999999999999999", {"credits": 2**53 - 1}),
        (None, {}),
    ],
)
def test_consumed(text: str | None, expected: dict[str, int]) -> None:
    assert consumed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("credits=+100", 100),
        (" credits = -5 ", -5),
        ("credits=+100,credits=-5", 95),
        ("credits=100", 0),
        ("calls=+1", 0),
        ("credits=+9999999999999999", 2**53 - 1),
        ("credits=+1e3", 0),
        (None, 0),
    ],
)
def test_adjusted(text: str | None, expected: int) -> None:
    assert adjusted(text) == expected


def test_what_an_upstream_says_is_heard_and_does_not_cross() -> None:
    items = [
        ("apicharge-consume", "credits=3"),
        ("apicharge-consume", "calls=0"),
        ("apicharge-adjust", "credits=+1"),
        ("x-kept", "1"),
    ]
    head = pass_on(items, status=200, own_host=True)
    assert (head.consume, head.adjust) == ("credits=3,calls=0", "credits=+1")
    assert [name for name, _ in head.headers if name.startswith(b"apicharge")] == []


def test_preflight_repeats_no_header_that_is_none() -> None:
    headers = dict(preflight("x-a\r\nset-cookie: a", ["GET", "PUT"]))
    assert headers[b"access-control-allow-headers"] == b"apicharge"
    assert headers[b"access-control-allow-methods"] == b"GET, PUT"
    assert b"access-control-allow-credentials" not in headers


def test_trailers_cross_but_for_what_frames_describes_or_is_ours() -> None:
    said = trailing(
        [
            ("x-sum", "1"),
            ("apicharge-consume", "credits=3"),
            ("apicharge-consume", "calls=0"),
            ("apicharge-adjust", "credits=+1"),
            ("apicharge-problem", "ours"),
            ("content-length", "9"),
            ("content-type", "text/html"),
            ("set-cookie", "a=b"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("grpc-status", "0"),
        ]
    )
    assert said.headers == [(b"x-sum", b"1"), (b"grpc-status", b"0")]
    assert (said.consume, said.adjust) == ("credits=3,calls=0", "credits=+1")
    assert said.grpc_status == "0"
