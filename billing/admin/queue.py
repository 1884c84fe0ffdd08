"""What waits for staff: new services, reports, unanswered refunds, money that does not add up."""

import time
from dataclasses import dataclass

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import halting
from billing.domain.discrepancies import State as Fit
from billing.domain.requests import State
from billing.models import Discrepancy, RefundRequest, ServiceReport
from marketplace.admin import desk
from marketplace.admin.scoping import seller
from marketplace.console import Screen
from marketplace.models import Service, Suspension

SHOWN = 50
UNANSWERED_SECONDS = 3 * 86_400
NOTE_CHARS = 500
REVIEWS = "marketplace.change_service"


@dataclass(frozen=True, slots=True)
class Waiting:
    title: str
    rows: list[Model]
    page: str
    more: str


def is_staff(request: HttpRequest) -> bool:
    return seller(request) is None and request.user.has_perm("marketplace.view_service")


def queue(request: HttpRequest) -> HttpResponse:
    if not is_staff(request):
        raise PermissionDenied
    if request.method == "POST":
        return _decide(request)
    waiting = Service.objects.waiting().select_related("provider").order_by("updated_at")
    return desk.page(
        request,
        "admin/billing/queue.html",
        title=_("Review queue"),
        services=list(waiting[:SHOWN]),
        may_decide=request.user.has_perm(REVIEWS),
        waiting=[each for each in _waiting(time.time()) if each.rows],
        note_chars=NOTE_CHARS,
    )


def _waiting(now_s: float) -> list[Waiting]:
    reports = ServiceReport.objects.filter(handled_at_s=None).select_related("service")
    asked = RefundRequest.objects.filter(
        state=State.ASKED, asked_at_s__lt=int(now_s) - UNANSWERED_SECONDS
    )
    suspended = Suspension.objects.filter(lifted_at=None).select_related("service", "provider")
    return [
        _rows(_("Reports of services"), reports.order_by("reported_at_s")),
        _rows(
            _("Refunds asked for, and not answered for three days"), asked.order_by("asked_at_s")
        ),
        _rows(
            _("Payments and grants that do not agree"), Discrepancy.objects.filter(state=Fit.OPEN)
        ),
        _rows(_("Suspended now"), suspended),
    ]


def _rows(title: str, rows: "QuerySet[Model]") -> Waiting:
    model = rows.model._meta  # noqa: SLF001 - Django's own way to name an admin page
    name = f"admin:{model.app_label}_{model.model_name}"
    return Waiting(title, list(rows[:SHOWN]), f"{name}_change", f"{name}_changelist")


def _decide(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(REVIEWS):
        raise PermissionDenied
    number = request.POST.get("service", "")
    service = get_object_or_404(Service, pk=int(number) if number.isdecimal() else 0)
    actor, note = request.user.get_username(), request.POST.get("note", "").strip()[:NOTE_CHARS]
    if request.POST.get("act") == "approve":
        done = halting.approve(service, actor=actor, now_s=time.time())
        said = _("%(what)s is on sale.")
    elif note:
        done = halting.send_back(service, note=note, actor=actor, now_s=time.time())
        said = _("%(what)s is a draft again, and its provider has your note.")
    else:
        done, said = True, _("Say what has to change before you send %(what)s back.")
    if not done:
        said = _("%(what)s did not wait any more.")
    messages.info(request, said % {"what": service})
    return HttpResponseRedirect(reverse("admin:queue"))


admin.site.screens.append(  # type: ignore[attr-defined]  # marketplace.console.ConsoleSite
    Screen("queue", "queue/", queue, gettext_noop("Review queue"), "inbox", is_staff)
)
