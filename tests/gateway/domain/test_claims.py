import re

import pytest

from gateway.domain.claims import ClaimError, Claims

LETTERS = re.compile(r"[a-z]+")


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, -1])
def test_integer_is_exactly_an_integer(value: object) -> None:
    with pytest.raises(ClaimError, match="n is not an integer"):
        Claims({"n": value}).integer("n")


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_boolean_is_exactly_a_boolean(value: object) -> None:
    with pytest.raises(ClaimError, match="b is not true or false"):
        Claims({"b": value}).boolean("b")


@pytest.mark.parametrize("value", ["", "A", "a\n", 5, None, ["a"], "a" * 1025])
def test_text_is_of_its_form(value: object) -> None:
    with pytest.raises(ClaimError):
        Claims({"t": value}).text("t", LETTERS)


def test_absent_claim_is_missing_and_null_is_not_absent() -> None:
    with pytest.raises(ClaimError, match="t is missing"):
        Claims({}).text("t")
    assert Claims({}).optional_text("t", LETTERS) is None
    with pytest.raises(ClaimError):
        Claims({"t": None}).optional_text("t", LETTERS)


@pytest.mark.parametrize("value", [[], "ab", ["a", "a"], ["a", 1], ["A"], ["a", "b", "c", "d"]])
def test_texts_are_few_different_and_of_their_form(value: object) -> None:
    with pytest.raises(ClaimError):
        Claims({"t": value}).optional_texts("t", LETTERS, most=3)


@pytest.mark.parametrize("value", [None, {}, [1], [{}, None]])
def test_objects_are_a_list_of_objects(value: object) -> None:
    with pytest.raises(ClaimError):
        Claims({"o": value}).objects("o")


def test_unread_claim_is_refused_by_name() -> None:
    claims = Claims({"a": 1, "b": 2})
    assert claims.integer("a") == 1
    with pytest.raises(ClaimError, match="'b' is not known here"):
        claims.nothing_left()


def test_claim_is_read_once() -> None:
    claims = Claims({"a": 1})
    claims.integer("a")
    with pytest.raises(ClaimError, match="a is missing"):
        claims.integer("a")
