import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import jws

# RFC 8037, appendix A.4.
RFC_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
HEADER = "eyJhbGciOiJFZERTQSJ9"


def compact(payload: bytes) -> str:
    return f"{HEADER}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.AAAA"


def test_frame_has_header_payload_and_signed_bytes() -> None:
    frame = jws.parse(compact(b'{"a":[1,true,null,"\xc3\xa9"]}'))
    assert frame.header == {"alg": "EdDSA"}
    assert frame.payload == {"a": [1, True, None, "é"]}
    assert frame.signing_input == b"eyJhbGciOiJFZERTQSJ9.eyJhIjpbMSx0cnVlLG51bGwsIsOpIl19"
    assert frame.signature == b"\0\0\0"


def test_signing_input_is_compact_and_in_the_given_order() -> None:
    header, payload = jws.signing_input({"alg": "EdDSA"}, {"b": 1, "a": "é"}).split(b".")
    assert header == HEADER.encode()
    assert base64.urlsafe_b64decode(payload + b"==") == '{"b":1,"a":"é"}'.encode()


def test_assembled_token_ends_in_the_signature() -> None:
    assert jws.assemble(RFC_INPUT, b"\xfb\xff") == f"{RFC_INPUT.decode()}.-_8"


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AB", "AAB", "AA==", "AAA=", "+/+/", " AAAA", "AAAA\n", "AA\0A", "ÀAAA"]
)
def test_decoding_knows_one_spelling(text: str) -> None:
    with pytest.raises(jws.JwsError):
        jws.decode(text)


@given(raw=st.binary(max_size=200))
def test_decoding_inverts_encoding(raw: bytes) -> None:
    assert jws.decode(jws.encode(raw)) == raw


@given(text=st.text("ABCwxyz089-_+/=", max_size=12))
def test_what_decodes_encodes_to_the_same_text(text: str) -> None:
    try:
        raw = jws.decode(text)
    except jws.JwsError:
        return
    assert jws.encode(raw) == text


@pytest.mark.parametrize("text", ["-_8", "-_8=", "+/8", "+/8="])
def test_binary_field_takes_both_alphabets_and_any_padding(text: str) -> None:
    assert jws.decode_binary(text) == b"\xfb\xff"


@pytest.mark.parametrize(
    "text", ["-/8=", "+_8", "-_8==", "-_8===", "=", "AA=", "A===", "+/9", "A A"]
)
def test_binary_field_takes_no_mixture(text: str) -> None:
    with pytest.raises(jws.JwsError):
        jws.decode_binary(text)


@given(text=st.text(max_size=40))
def test_loose_decoding_never_fails(text: str) -> None:
    assert len(jws.decode_loosely(text)) <= len(text)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"text"',
        b"{",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":1}x',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0.0}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xff"}',
        b'{"a":"\t"}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32-le"),
    ],
)
def test_payload_that_others_may_read_otherwise_is_refused(payload: bytes) -> None:
    with pytest.raises(jws.JwsError):
        jws.parse(compact(payload))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(jws.JwsError):
        jws.parse(compact(b'{"a":' + b"[" * 5000))


def test_largest_exact_integer_is_read() -> None:
    assert jws.parse(compact(b'{"a":9007199254740991}')).payload == {"a": 9007199254740991}


@pytest.mark.parametrize(
    "text", ["", ".", "a.b", "..", "....", f"{HEADER}.e30", f"{HEADER}.e30.AA.AA"]
)
def test_anything_but_three_segments_is_refused(text: str) -> None:
    with pytest.raises(jws.JwsError):
        jws.parse(text)


def test_longer_than_the_cap_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(jws.JwsError, match="longer than 8192"):
        jws.parse("é" * 8193)


@given(st.dictionaries(st.text(max_size=8), st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_what_we_write_we_read(payload: dict[str, int]) -> None:
    frame = jws.parse(jws.assemble(jws.signing_input({"alg": "x"}, payload), b""))
    assert frame.payload == payload
    assert json.loads(jws.decode(frame.signing_input.decode().split(".")[1])) == payload
