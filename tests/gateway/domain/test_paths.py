from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from gateway.domain.paths import (
    PATH_BYTES_MAX,
    AmbiguousPath,
    canonical,
    canonical_query,
    segments,
)

SPELLED = "/ // . .. %2e %2E %2f %5c \\ %00 ; %3b a %61 B %42 % %zz %25 é %c3%a9 %c0%ae [ ^"
SPELLED += " ' \" < { | ` ~ ! $ @ : = +"
PIECES = st.sampled_from([*SPELLED.encode().split(), b" ", b"\x7f", b"\xe9"])
PATHS = st.lists(PIECES, max_size=12).map(lambda pieces: b"/" + b"".join(pieces))


def tried(raw: bytes) -> bytes | None:
    try:
        return canonical(raw)
    except AmbiguousPath:
        return None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/", b"/"),
        (b"/a/b/", b"/a/b/"),
        (b"/%61%7E", b"/a~"),
        (b"/a%2a%c3%a9", b"/a%2A%C3%A9"),
        (b"/caf\xc3\xa9", b"/caf%C3%A9"),
        (b"//a///b", b"/a/b"),
        (b"/a b", b"/a%20b"),
        (b"/a%252fb", b"/a%252fb"),
        (b"/...", b"/..."),
    ],
)
def test_canonical_form(raw: bytes, expected: bytes) -> None:
    assert canonical(raw) == expected


@pytest.mark.parametrize(
    "raw", [b"", b"a", b"*", b"http://h/", b"/" + b"a" * PATH_BYTES_MAX, b"/..", b"/a%2Fb"]
)
def test_ambiguous_form_is_refused(raw: bytes) -> None:
    with pytest.raises(AmbiguousPath):
        canonical(raw)


@given(PATHS)
def test_canonical_form_is_its_own(raw: bytes) -> None:
    path = tried(raw)
    assert path is None or canonical(path) == path


@given(PATHS)
def test_upstream_client_sends_the_canonical_form_as_it_is(raw: bytes) -> None:
    path = tried(raw)
    assert path is None or Url(f"http://h{path.decode()}").path == path.decode()


@given(PATHS)
def test_decoding_once_more_changes_no_decision(raw: bytes) -> None:
    """What a server decodes has the segments that were decided on."""
    path = tried(raw)
    if path is not None:
        decoded = unquote_to_bytes(path).split(b"/")
        assert len(decoded) == len(path.split(b"/"))
        assert not {b".", b".."} & set(decoded)


@given(PATHS)
def test_segments_have_no_parameters_and_none_is_empty(raw: bytes) -> None:
    path = tried(raw)
    for segment in segments(path) if path else []:
        assert segment
        assert b";" not in segment


@given(st.binary(max_size=60))
def test_any_query_is_sent_as_decided(raw: bytes) -> None:
    query = canonical_query(raw)
    assert Url(f"http://h/?{query}").query_string == query
    assert unquote_to_bytes(query) == unquote_to_bytes(raw)
