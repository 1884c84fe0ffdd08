import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.requests import Field, Malformed, Request, read

LINE = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"gate.example")]


def request(*fields: Field, path: bytes = b"/", has_body: bool = False) -> Request:
    return read([*LINE, (b":path", path), *fields], has_body=has_body)


def changed(name: bytes, value: bytes) -> list[Field]:
    line = [*LINE, (b":path", b"/")]
    return [(each, value if each == name else known) for each, known in line]


def test_path_and_query_are_parted_and_the_path_is_read() -> None:
    read_ = request(path=b"/a%20b?q=%20")
    assert (read_.path, read_.raw_path, read_.query) == ("/a b", b"/a%20b", b"q=%20")


def test_authority_is_the_host_and_comes_first() -> None:
    headers = request((b"x-a", b"1"), (b"host", b"gate.example")).headers
    assert headers == [(b"host", b"gate.example"), (b"x-a", b"1")]


def test_crumbs_of_a_cookie_are_joined() -> None:
    assert request((b"cookie", b"a=1"), (b"cookie", b"b=2")).headers[1:] == [
        (b"cookie", b"a=1; b=2")
    ]


@pytest.mark.parametrize(
    ("fields", "has_body", "framing"),
    [
        ([(b"content-length", b"3")], True, (b"content-length", b"3")),
        ([], True, (b"transfer-encoding", b"chunked")),
        ([], False, (b"host", b"gate.example")),
    ],
)
def test_body_is_framed_in_one_way(fields: list[Field], has_body: bool, framing: Field) -> None:
    assert request(*fields, has_body=has_body).headers[-1] == framing


@pytest.mark.parametrize(
    "fields",
    [
        [(b"x y", b"1")],
        [(b"x:y", b"1")],
        [(b"X", b"1")],
        [(b"", b"1")],
        [(b"x", b"a\r\nb: c")],
        [(b"x", b"a\x00")],
        [(b"x", b"a\x7f")],
        [(b"cookie", b"a=1\n")],
        [(b"transfer-encoding", b"chunked")],
        [(b"connection", b"close")],
        [(b"upgrade", b"h2c")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1, 1")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"")],
        [(b"host", b"other.example")],
    ],
    ids=str,
)
def test_header_that_http1_could_not_mean_is_refused(fields: list[Field]) -> None:
    with pytest.raises(Malformed):
        request(*fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b":path", b""),
        (b":path", b"a"),
        (b":path", b"/a b"),
        (b":path", b"/a\r\n"),
        (b":path", b"/a#b"),
        (b":path", b"/\xc3\xa9"),
        (b":path", b"http://other.example/"),
        (b":path", b"*"),
        (b":method", b"GET /"),
        (b":method", b""),
        (b":method", b"CONNECT"),
        (b":method", b"connect"),
        (b":method", b"trace"),
        (b":method", b"Trace"),
        (b":method", b"GET!"),
        (b":scheme", b"ftp"),
        (b":authority", b""),
        (b":authority", b"user@gate.example"),
        (b":authority", b"gate.example\r\n"),
    ],
)
def test_request_line_that_http1_could_not_write_is_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(Malformed):
        read(changed(name, value), has_body=False)


def test_body_that_is_announced_has_to_come() -> None:
    for length in (b"5", b"05"):
        with pytest.raises(Malformed):
            request((b"content-length", length))
    assert request((b"content-length", b"0")).length == 0


def test_asterisk_is_for_options() -> None:
    assert read([(b":method", b"OPTIONS"), *LINE[1:], (b":path", b"*")], has_body=False).path == "*"


def test_request_without_any_host_is_refused() -> None:
    with pytest.raises(Malformed):
        read([*LINE[:2], (b":path", b"/")], has_body=False)


def test_extended_connect_says_its_protocol() -> None:
    fields = [(b":method", b"CONNECT"), *LINE[1:], (b":path", b"/"), (b":protocol", b"websocket")]
    assert read(fields, has_body=True).protocol == b"websocket"


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=12)), max_size=6))
def test_whatever_comes_is_read_or_refused(fields: list[Field]) -> None:
    try:
        headers = request(*fields).headers
    except Malformed:
        return
    assert not any(b"\r" in value or b"\n" in value for _, value in headers)
    assert sum(name == b"host" for name, _ in headers) == 1


def test_content_type_is_told_by_how_it_begins() -> None:
    assert request((b"content-type", b"Application/gRPC+proto")).is_of(b"application/grpc")
    assert not request((b"content-type", b"application/json")).is_of(b"application/grpc")


def test_wish_to_be_told_to_continue_is_read() -> None:
    assert request((b"expect", b"100-Continue")).expects_continue
    assert not request().expects_continue
