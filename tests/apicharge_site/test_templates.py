"""Templates: each compiles, and what they say to people can be translated."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import allauth
import pytest
from django.template import engines

OURS = Path(__file__).parents[2] / "templates"
ALLAUTH = Path(allauth.__file__).parent / "templates"
THEIRS = ("account", "mfa", "usersessions", "allauth")  # Of what INSTALLED_APPS has.
SAID_BY_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title", "data-label"}
NO_PROSE = {"script", "style", "code", "pre"}
# Names, and what is the same in every language.
NAMES = {"ApiCharge", "Freighter", "freighter.app", "JSON", "CSV", "PDF", "OpenAPI", "deriving.js"}
NAMES |= {"ms", "p95", "UTC", "Stellar", "v1", "JSONL"}
MARKED = re.compile(
    r"{% comment %}.*?{% endcomment %}|{#.*?#}"
    r"|{% block (?:body_class|at_catalogue) %}.*?{% endblock %}"
    r"|{% blocktrans(?:late)?\b.*?{% endblocktrans(?:late)? %}"
    r"|{%.*?%}|{{.*?}}",
    re.DOTALL,
)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.said += [value for name, value in attrs if value and name in SAID_BY_ATTRIBUTES]
        if tag in NO_PROSE:
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.said.append(data)


def unmarked(template: str) -> Iterator[str]:
    reader = Reader()
    reader.feed(MARKED.sub("", template))
    for text in reader.said:
        if not set(re.findall(r"[A-Za-z][\w.']+", text)) <= NAMES:
            yield " ".join(text.split())


def names(root: Path, *folders: str) -> list[str]:
    found = [path for folder in folders for path in (root / folder).rglob("*.html")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def test_every_template_compiles() -> None:
    """A library of tags that is not installed is noticed here, not by whoever opens the page."""
    for name in {*names(OURS, "."), *names(ALLAUTH, *THEIRS)}:
        engines["django"].get_template(name)


@pytest.mark.parametrize("name", names(OURS, "."))
def test_what_a_template_says_is_marked_for_translation(name: str) -> None:
    assert list(unmarked((OURS / name).read_text())) == []


def test_words_that_nobody_marked_are_found() -> None:
    page = '<p title="A tip">{% translate "Marked" %} Bare {{ words }}</p><code>not prose</code>'
    assert list(unmarked(page)) == ["A tip", "Bare"]
