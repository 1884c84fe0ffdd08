import pytest
from apicharge_client.documents import Document, decode, encode
from apicharge_client.errors import BadDocument


@pytest.mark.parametrize("text", ["-_8", "-_8=", "+/8", "+/8="])
def test_binary_is_read_in_either_alphabet(text: str) -> None:
    assert decode(text) == b"\xfb\xff"
    assert encode(b"\xfb\xff") == "-_8"


@pytest.mark.parametrize("text", ["A", "é", "A A", "A\n"])
def test_text_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64"):
        decode(text)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b"{"])
def test_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadDocument, match="The answer: not"):
        Document.parse(body, "The answer")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("text", 5),
        ("text", ""),
        ("integer", True),
        ("integer", 1.0),
        ("integer", -1),
        ("integer", 2**53),
        ("flag", 1),
        ("amount", 5),
        ("amount", "05"),
        ("amount", "-5"),
        ("object", []),
        ("objects", {}),
        ("objects", [1]),
    ],
)
def test_member_of_another_type_is_refused_by_name(read: str, value: object) -> None:
    with pytest.raises(BadDocument, match="answer"):
        getattr(Document({"name": value}, "The answer"), read)("name")


def test_key_is_read_from_hex_and_from_base64() -> None:
    raw = bytes(range(32))
    for text in (raw.hex(), encode(raw), encode(raw) + "="):
        assert Document({"key": text}, "The answer").binary("key", 32) == raw
    for text in (("zz" * 32), encode(raw)[:-2], "!"):
        with pytest.raises(BadDocument):
            Document({"key": text}, "The answer").binary("key", 32)
