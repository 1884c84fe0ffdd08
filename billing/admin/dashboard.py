"""The first page of a provider: what its shop sold, and how its APIs did."""

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.shops.figures import figures
from billing.shops.supposing import at_last_weeks_use
from marketplace.admin import desk, previewing
from marketplace.admin.scoping import seller

PERIODS = (7, 30, 90)
REASONS_MAX = 8


def dashboard(request: HttpRequest) -> TemplateResponse | None:
    """None for staff, unless they ask for the shop of one provider."""
    if seller(request) is None and not ("provider" in request.GET and desk.sells(request)):
        return None
    provider = desk.shop_of(request)
    asked = request.GET.get("days", "")
    days = next((period for period in PERIODS if str(period) == asked), PERIODS[1])
    shown = figures(provider, days, timezone.now())
    return desk.page(
        request,
        "admin/billing/dashboard.html",
        title=_("Dashboard"),
        provider=provider,
        periods=PERIODS,
        figures=shown,
        reasons=shown.whole.refusals.most_common(REASONS_MAX),
        query=f"provider={provider.slug}&" if "provider" in request.GET else "",
    )


admin.site.dashboards.append(dashboard)  # type: ignore[attr-defined]
previewing.SUPPOSING.append(at_last_weeks_use)
