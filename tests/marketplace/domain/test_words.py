import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.words import WORD_LENGTH_MAX, WORDS_MAX, asked, distinct, folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café au LAIT", "cafe au lait"),
        ("/v1/chat_completions?x=1", "v1 chat completions x 1"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("天気 API", "天気 api"),
        ("%_'\"()*:&|!", ""),
        ("a" * 50, "a" * WORD_LENGTH_MAX),
    ],
)
def test_words_are_letters_and_digits(text: str, words: str) -> None:
    assert folded(text) == words


def test_each_word_is_asked_for_once_and_only_a_few() -> None:
    assert asked("Rain rain, RAIN go") == ("rain", "go")
    assert len(asked(" ".join(map(str, range(99))))) == WORDS_MAX


def test_words_of_texts_are_taken_once_and_as_many_as_fit() -> None:
    assert distinct(["GET /v1/rain", "Rain of /v1/{city}"], 100) == "get v1 rain of city"
    assert distinct(["one two", "two three four"], 14) == "one two three"


@given(st.text())
def test_no_text_leaves_anything_that_a_query_language_knows(text: str) -> None:
    assert all(word.isalnum() and word.isprintable() for word in folded(text).split())
