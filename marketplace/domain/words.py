"""Text as the search sees it: words without case, accents or punctuation."""

import re
import unicodedata

WORD = re.compile(r"[^\W_]+")
WORDS_MAX = 8
WORD_LENGTH_MAX = 40


def folded(text: str) -> str:
    """Café au Lait, /v1/MENU → cafe au lait v1 menu."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return " ".join(word[:WORD_LENGTH_MAX] for word in WORD.findall(plain))


def asked(text: str) -> tuple[str, ...]:
    """The words of a search, each once; more than a few say nothing more."""
    return tuple(dict.fromkeys(folded(text).split()))[:WORDS_MAX]
