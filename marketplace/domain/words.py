"""Text as the search sees it: words without case, accents or punctuation."""

import re
import unicodedata
from collections.abc import Iterable

WORD = re.compile(r"[^\W_]+")
WORDS_MAX = 8
WORD_LENGTH_MAX = 40


def folded(text: str) -> str:
    """Café au Lait, /v1/MENU → cafe au lait v1 menu."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return " ".join(word[:WORD_LENGTH_MAX] for word in WORD.findall(plain))


def distinct(texts: Iterable[str], length_max: int) -> str:
    """The words of all texts, each once, as many of the first as fit."""
    known: dict[str, None] = {}
    length = 0
    for word in (word for text in texts for word in folded(text).split()):
        length += 0 if word in known else len(word) + 1
        if length > length_max:
            break
        known[word] = None
    return " ".join(known)


def asked(text: str) -> tuple[str, ...]:
    """The words of a search, each once; more than a few say nothing more."""
    return tuple(dict.fromkeys(folded(text).split()))[:WORDS_MAX]
