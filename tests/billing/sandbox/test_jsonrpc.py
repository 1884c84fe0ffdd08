"""The envelope of a call: whatever arrives gets a JSON-RPC answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.sandbox.jsonrpc import Params, answer
from billing.sandbox.storage import Document


def echo(params: Params) -> Document:
    return {"said": params.needed_text("say")}


METHODS = {"echo": echo}


def code(body: bytes) -> object:
    error = answer(body, METHODS)["error"]
    assert isinstance(error, dict)
    return error["code"]


def test_answers_under_the_id_of_the_request() -> None:
    body = b'{"jsonrpc":"2.0","id":"x","method":"echo","params":{"say":"hello"}}'
    assert answer(body, METHODS) == {"jsonrpc": "2.0", "id": "x", "result": {"said": "hello"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"echo"}]', -32600),
        (b'"text"', -32600),
        (b'{"id":1,"method":"echo"}', -32600),
        (b'{"jsonrpc":"2.0","id":[1],"method":"echo"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"unknown"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"__init__"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"say":7}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo"}', -32602),
    ],
)
def test_whatever_is_wrong_has_its_code(body: bytes, expected: int) -> None:
    assert code(body) == expected


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(nested)
def test_no_request_is_left_without_an_answer(request: object) -> None:
    assert answer(json.dumps(request).encode(), METHODS)["jsonrpc"] == "2.0"
