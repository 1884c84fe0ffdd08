import json

import pytest

from marketplace.domain import structured
from marketplace.domain.structured import Malformed


def test_json_and_yaml_say_the_same() -> None:
    value = {"a": [1, 2.5, True, None, "x"], "b": {"200": "ok"}}
    assert structured.read(json.dumps(value).encode()) == value
    assert structured.read(b"a: [1, 2.5, true, null, x]\nb: {200: ok}\n") == value
    assert structured.read(b"{a: [1, 2.5, true, ~, x], b: {200: ok}}") == value


def test_yaml_text_that_looks_like_something_else_stays_text() -> None:
    written = b"a: 2020-01-01\nb: 12:30:45\nc: yes\nd: 0x1f\ne: 3.0.1\nf: 1__0\n"
    read = structured.read(written)
    assert read == {
        "a": "2020-01-01",
        "b": "12:30:45",
        "c": "yes",
        "d": "0x1f",
        "e": "3.0.1",
        "f": "1__0",
    }


def test_an_alias_stands_for_what_it_names() -> None:
    assert structured.read(b"a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def alias_bomb(form: str) -> bytes:
    lines = ["k0: &k0 {x: 1}"]
    for i in range(1, 40):
        repeated = ", ".join([f"*k{i - 1}"] * 9)
        lines.append(f"k{i}: &k{i} " + form.format(repeated))
    return "\n".join(lines).encode()


HOSTILE = {
    "empty": b"  \n",
    "too large": b"a" * (structured.BYTES_MAX + 1),
    "no UTF-8": b"\xff\xfe{",
    "deep flow": b"[" * 100_000,
    "deep JSON": b'{"a":' * 100_000,
    "deep JSON, closed": b"[" * 3_000 + b"]" * 3_000,
    "deep blocks": b"- " * 50_000 + b"a",
    "aliases of aliases": alias_bomb("[{}]"),
    "merged lists of aliases": alias_bomb("{{<<: [{}]}}"),
    "itself within a list": b"a: &a [*a]",
    "itself within a mapping": b"a: &a {b: *a}",
    "an alias of nothing": b"a: *b",
    "orders to Python": b"!!python/object/apply:os.system ['id']",
    "bytes": b"a: !!binary aGk=",
    "a set": b"a: !!set {b, c}",
    "a key that is a list": b"? [a]\n: b",
    "a key that is nothing": b"~: b",
    "a fraction as a key": b"1.5: b",
    "not a number": b'{"a": NaN}',
    "endless": b'{"a": 1e999}',
    "digits without end": b'{"a": 1' + b"0" * 5_000 + b"}",
    "half a character": b'{"a": "\\ud800"}',
    "NUL": b'{"a": "\\u0000"}',
    "two documents": b"a: 1\n---\nb: 2",
    "half of JSON": b'{"a": ',
    "many values": b"[" + b"1," * (structured.VALUES_MAX + 1) + b"1]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_in_words(text: bytes) -> None:
    with pytest.raises(Malformed, match=r"\w.*\."):
        structured.read(text)


def test_numbers_too_long_to_be_one_are_text_in_yaml() -> None:
    assert structured.read(b"a: " + b"9" * 5_000) == {"a": "9" * 5_000}


def test_a_mistake_is_told_with_its_place() -> None:
    with pytest.raises(Malformed, match="line 1, column 7"):
        structured.read(b'{"a": ]')
    with pytest.raises(Malformed, match="line 3"):
        structured.read(b"a: 1\nb:\n  - c: d: e\n")
