"""Moments that rows keep as seconds, as the console writes them."""

from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

EXACT = "j M Y, H:i:s"


def moment(at_s: float | None) -> SafeString:
    """To the second, as an element that says more when it is pointed at."""
    if not at_s:
        return format_html("{}", _("never"))
    at = datetime.fromtimestamp(int(at_s), UTC)
    return format_html('<time datetime="{}">{} UTC</time>', at.isoformat(), date_format(at, EXACT))
