import pytest

from gateway.domain.negotiation import preferred

OFFERED = ("application/problem+json", "application/json", "text/html", "text/markdown")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", OFFERED[0]),
        ("", OFFERED[0]),
        ("image/png", OFFERED[0]),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/markdown, */*", "text/markdown"),
        ("text/markdown;q=0.4, application/problem+json;q=0.5", OFFERED[0]),
        ("text/*", "text/html"),
        ("*/*;q=0.1, text/html;q=0", OFFERED[0]),
        ("text/html;q=nonsense", OFFERED[0]),
        ("TEXT/HTML; level=1", "text/html"),
    ],
)
def test_best_liked_form(accept: str, form: str) -> None:
    assert preferred(accept, OFFERED) == form
