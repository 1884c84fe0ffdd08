import pytest

from gateway.domain.reading import Object, Unreadable

WHOLE = Object({"a": 1, "b": "x", "c": ["y"], "d": [{"e": "0f"}], "f": {}, "g": True}, "doc")


def test_fields_are_read_by_their_type() -> None:
    assert WHOLE.integer("a") == 1
    assert WHOLE.text("b") == "x"
    assert WHOLE.texts("c") == ["y"]
    assert WHOLE.parts("d")[0].hex_bytes("e") == b"\x0f"
    assert WHOLE.part("f").unread == {}
    assert WHOLE.boolean("g") is True
    assert WHOLE.boolean("missing") is False
    assert WHOLE.optional_text("missing") is None
    assert WHOLE.optional_part("missing").integer("x", 5) == 5


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (Object.integer, "g"),
        (Object.integer, "b"),
        (Object.boolean, "a"),
        (Object.text, "a"),
        (Object.text, "missing"),
        (Object.texts, "d"),
        (Object.texts, "b"),
        (Object.parts, "c"),
        (Object.part, "c"),
        (Object.hex_bytes, "b"),
    ],
)
def test_other_type_is_refused_with_its_place(read: object, name: str) -> None:
    with pytest.raises(Unreadable, match=rf"doc: {name} is not|doc\.?.*{name}"):
        read(WHOLE, name)  # type: ignore[operator]
