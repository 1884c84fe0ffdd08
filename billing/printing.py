"""A receipt as a PDF of one page.

The font has Latin, Greek, Cyrillic and more; for names in other scripts APICHARGE_RECEIPT_FONTS
names fonts that have them. The JSON receipt has every name whatever the fonts.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from fpdf import FPDF
from fpdf.enums import WrapMode

FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
FAMILY = "receipt"
INK, SOFT, LINE, ACCENT = (20, 26, 23), (80, 90, 84), (226, 229, 225), (11, 110, 79)
MARGIN_MM, LABEL_MM = 20, 46
DIGEST_LIKE = 40


def pdf(title: str, lines: Sequence[tuple[str, str]], *, foot: str, at_s: int) -> bytes:
    """`lines` are labels and values; an empty label continues the value before."""
    page = FPDF(format="A4", unit="mm")
    page.set_margin(MARGIN_MM)
    page.set_auto_page_break(auto=True, margin=MARGIN_MM)
    page.set_creation_date(datetime.fromtimestamp(at_s, UTC))
    page.set_title(title)
    _load_fonts(page)
    page.add_page()
    _heading(page, title)
    for label, value in lines:
        _line(page, label, value)
    page.ln(8)
    page.set_font(FAMILY, size=8)
    page.set_text_color(SOFT)
    page.multi_cell(0, 4.5, foot, align="L")
    return bytes(page.output())


def _load_fonts(page: FPDF) -> None:
    page.add_font(FAMILY, fname=FONT)
    more = []
    for number, path in enumerate(settings.RECEIPT_FONTS):
        page.add_font(f"{FAMILY}{number}", fname=path)
        more.append(f"{FAMILY}{number}")
    if more:
        page.set_fallback_fonts(more, exact_match=False)


def _heading(page: FPDF, title: str) -> None:
    page.set_font(FAMILY, size=20)
    page.set_text_color(ACCENT)
    page.cell(0, 12, title, new_x="LMARGIN", new_y="NEXT")
    page.ln(4)


def _line(page: FPDF, label: str, value: str) -> None:
    if label:
        page.ln(1)
        page.set_draw_color(LINE)
        page.line(page.l_margin, page.y, page.w - page.r_margin, page.y)
        page.ln(1.5)
    page.set_font(FAMILY, size=9)
    page.set_text_color(SOFT)
    page.cell(LABEL_MM, 6, label)
    has_words = " " in value or len(value) < DIGEST_LIKE
    page.set_font(FAMILY, size=10 if has_words else 8)
    page.set_text_color(INK)
    wrap = WrapMode.WORD if has_words else WrapMode.CHAR
    page.multi_cell(0, 6, value, align="L", new_x="LMARGIN", new_y="NEXT", wrapmode=wrap)
