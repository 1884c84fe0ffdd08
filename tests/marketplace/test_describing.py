import pytest

from marketplace.describing import html


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# Title", "<h3>Title</h3>\n"),
        ("###### Deep", "<h6>Deep</h6>\n"),
        (
            "a *b* **c** ~~d~~ `e`",
            "<p>a <em>b</em> <strong>c</strong> <s>d</s> <code>e</code></p>\n",
        ),
        ("<b>raw</b>", "<p>&lt;b&gt;raw&lt;/b&gt;</p>\n"),
        (
            "[x](https://a.example)",
            '<p><a href="https://a.example" rel="nofollow noopener ugc">x</a></p>\n',
        ),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("![x](https://a.example/i.png)", "<p></p>\n"),
    ],
)
def test_markdown_is_written_as_allowed_html(markdown: str, expected: str) -> None:
    assert html(markdown) == expected


def test_table_is_kept_without_styles() -> None:
    rendered = html("|a|b|\n|:-|-:|\n|1|2|")
    assert "<td>1</td>" in rendered
    assert "style" not in rendered


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](data:text/html,x)",
        "[a](vbscript:x)",
        '[a](https://x "onmouseover=alert(1)")<svg onload=alert(1)>',
        "```html\n<script>\n```",
        "[" * 5000,
        ">" * 2000 + "x",
    ],
)
def test_nothing_that_runs_comes_through(evil: str) -> None:
    rendered = html(evil)
    for bad in ("<script", "<img", "<svg", 'href="data', 'href="vbscript', "<iframe"):
        assert bad not in rendered
