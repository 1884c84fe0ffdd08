import hashlib
import hmac

import pytest

from gateway.domain.headers import forwarding, header, sift, signature
from gateway.domain.jws import encode

CONSOLE = frozenset({"sessionid", "csrftoken"})
OURS = encode(b'{"alg":"EdDSA","typ":"apicharge-grant+jwt"}') + ".e30.x"


def crossing(*pairs: tuple[bytes, bytes]) -> list[tuple[str, str]]:
    return sift(pairs, CONSOLE).forward


@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authorization", b"proxy-connection", b"http2-settings", b"alt-svc", b"close"),
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-anything", b"x-real-ip"),
        *(b"x-original-url", b"x-rewrite-url", b"x-http-method-override", b"expect"),
        *(b"apicharge", b"apicharge-grant", b"apicharge-signature", b"x-apicharge-plan"),
        *(b"apicharge_grant", b"x_forwarded_for", b"x_real_ip", b"x_http_method_override"),
        *(b"host", b"content-length", b"transfer_encoding", b"content_length"),
    ],
)
def test_header_that_frames_routes_or_identifies_does_not_cross(name: bytes) -> None:
    assert crossing((name, b"1")) == []


def test_other_headers_cross_in_order_and_repeated() -> None:
    pairs = [(b"x-a", b"1"), (b"accept", b"*/*"), (b"x-a", b"2"), (b"x_b", b"3")]
    assert crossing(*pairs) == [("x-a", "1"), ("accept", "*/*"), ("x-a", "2"), ("x_b", "3")]


def test_nominated_headers_do_not_cross() -> None:
    pairs = [(b"x-a", b"1"), (b"connection", b"close, X-A"), (b"x-b", b"2")]
    assert crossing(*pairs) == [("x-b", "2")]


def test_undecodable_header_is_counted_and_left_out() -> None:
    head = sift([(b"x-a", b"\xe9"), (b"x-b", "é".encode())], CONSOLE)
    assert (head.forward, head.undecodable) == ([("x-b", "é")], 1)


@pytest.mark.parametrize(
    ("pairs", "token", "crosses"),
    [
        ([(b"apicharge", b" t ")], "t", []),
        ([(b"apicharge", b"t"), (b"apicharge", b"u")], "t", []),
        ([(b"authorization", b"ApiCharge t")], "t", []),
        ([(b"authorization", b"apicharge t")], "t", []),
        ([(b"authorization", f"Bearer {OURS}".encode())], OURS, []),
        ([(b"authorization", b"Bearer x.y.z")], None, [("authorization", "Bearer x.y.z")]),
        ([(b"authorization", b"Basic eA==")], None, [("authorization", "Basic eA==")]),
        ([(b"cookie", b"apicharge=t")], "t", []),
        ([(b"cookie", b'a=1; apicharge="t"; b=2')], "t", [("cookie", "a=1; b=2")]),
        ([(b"cookie", b"sessionid=s; csrftoken=c")], None, []),
        ([(b"cookie", b"apicharge=c"), (b"authorization", b"ApiCharge a")], "a", []),
        ([(b"authorization", b"ApiCharge a"), (b"apicharge", b"h")], "h", []),
        ([(b"apicharge", b""), (b"authorization", b"ApiCharge a")], "", []),
        ([], None, []),
    ],
)
def test_first_credential_counts_and_ours_never_cross(
    pairs: list[tuple[bytes, bytes]], token: str | None, crosses: list[tuple[str, str]]
) -> None:
    head = sift(pairs, CONSOLE)
    assert (head.token, head.forward) == (token, crosses)


@pytest.mark.parametrize(
    ("pairs", "has_body"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"1")], True),
        ([(b"transfer-encoding", b"chunked")], True),
    ],
)
def test_body_is_announced(pairs: list[tuple[bytes, bytes]], has_body: bool) -> None:
    assert sift(pairs, CONSOLE).has_body is has_body


def test_forwarding_names_what_was_seen() -> None:
    assert forwarding("::1", "https", "h.example:1") == (
        ("forwarded", 'for="[::1]";host="h.example:1";proto=https'),
        ("x-forwarded-for", "::1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "h.example:1"),
    )


def test_host_that_is_no_host_is_not_repeated() -> None:
    assert forwarding("1.2.3.4", "http", 'a";for=x') == (
        ("forwarded", "for=1.2.3.4;proto=http"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "http"),
    )


@pytest.mark.parametrize(
    ("hosts", "is_misnamed"),
    [
        ([], False),
        ([b"h:80"], False),
        ([b"h", b"h"], False),
        ([b"h", b"g"], True),
        ([b"g/", b"h"], True),
        ([b"\xe9"], True),
        ([b"h" * 263], True),
    ],
)
def test_host_is_one_or_misnamed(hosts: list[bytes], is_misnamed: bool) -> None:
    head = sift([(b"host", host) for host in hosts], frozenset())
    assert head.is_misnamed is is_misnamed


def test_signature_is_over_time_method_path_and_identity() -> None:
    identity = [("apicharge-grant", "g"), ("apicharge-buyer", "b")]
    inner = hashlib.sha256(b"apicharge-grant: g\napicharge-buyer: b").hexdigest()
    message = f"12\nGET\n/a\n{inner}".encode()
    expected = hmac.new(b"secret", message, "sha256").hexdigest()
    said = signature(b"secret", method="GET", path="/a", identity=identity, now_s=12)
    assert said == f"t=12,v1={expected}"


def test_header_is_the_first_of_its_name() -> None:
    assert header([(b"a", b"1"), (b"a", b"2")], b"a") == "1"
    assert header([], b"a") is None
