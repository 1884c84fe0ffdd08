"""QR codes as part of the page: no image to fetch, no script."""

import segno
from django.utils.safestring import SafeString, mark_safe

QUIET_MODULES = 2


def qr(text: str) -> SafeString:
    drawn = segno.make_qr(text, error="m").svg_inline(
        border=QUIET_MODULES,
        omitsize=True,
        svgclass="qr",
        lineclass=None,
        dark="#000",
        light="#fff",
    )
    return mark_safe(drawn)  # noqa: S308 - modules of a matrix: nothing of the text is in it
