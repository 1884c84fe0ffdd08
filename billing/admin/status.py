"""The state of the system, for staff."""

import time

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import overseeing
from billing.admin.queue import is_staff
from billing.overseeing import Health
from marketplace.admin import desk
from marketplace.console import Screen


def status(request: HttpRequest) -> HttpResponse:
    if not is_staff(request):
        raise PermissionDenied
    lines = list(overseeing.lines(time.time()))
    troubled = sum(line.health is not Health.GOOD for line in lines)
    return desk.page(
        request,
        "admin/billing/status.html",
        title=_("System status"),
        lines=lines,
        troubled=troubled,
    )


admin.site.screens.append(  # type: ignore[attr-defined]  # marketplace.console.ConsoleSite
    Screen("status", "status/", status, gettext_noop("System status"), "monitor_heart", is_staff)
)
