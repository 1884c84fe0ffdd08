"""A price as buyers will read it, while it is being written; saves nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace import showing
from marketplace.admin.price import PriceAdmin
from marketplace.console import Screen
from marketplace.models import RouteQuote

Suppose = Callable[[RouteQuote, datetime], Sequence[str]]
SUPPOSING: list[Suppose] = []
"""What else there is to say of a price that is not sold yet; whoever knows adds it."""


@require_POST
def preview(request: HttpRequest, pk: int = 0) -> HttpResponse:
    """By the form's own checks, so that what is wrong is said here, too."""
    prices = admin.site.get_model_admin(RouteQuote)
    assert isinstance(prices, PriceAdmin)
    known = prices.get_object(request, str(pk)) if pk else None
    if pk:
        allowed = known is not None and prices.has_change_permission(request, known)
    else:
        allowed = prices.has_add_permission(request)
    if not allowed:
        raise PermissionDenied
    form = prices.get_form(request, known)(request.POST, instance=known)
    context: dict[str, object] = {"form": form}
    if form.is_valid():
        price = form.instance
        context["plan"] = showing.plan(price)
        context["supposed"] = [
            words for suppose in SUPPOSING for words in suppose(price, timezone.now())
        ]
    return TemplateResponse(request, "admin/marketplace/preview.html", context)


admin.site.screens += [  # type: ignore[attr-defined]
    Screen("price_preview", "marketplace/routequote/preview/", preview),
    Screen("price_preview_of", "marketplace/routequote/<int:pk>/preview/", preview),
]
