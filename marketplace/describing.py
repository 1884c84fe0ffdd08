"""A provider's Markdown as HTML that can do no harm.

CommonMark without raw HTML, then an allow-list: what the parser lets through by mistake the second
pass removes. No images: they would tell a stranger's server who reads the page.
"""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

TAGS = {"a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"}
TAGS |= {"s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
PAGE_HEADINGS = 2  # The page's own h1 and h2 stand above.

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def html(markdown: str) -> SafeString:
    tokens = _markdown.parse(markdown)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + PAGE_HEADINGS)}"
    rendered = _markdown.renderer.render(tokens, _markdown.options, {})
    clean = nh3.clean(
        rendered,
        tags=TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener ugc",
    )
    return mark_safe(clean)  # noqa: S308  what nh3 returns is what this function is for
