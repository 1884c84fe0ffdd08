"""What waits for staff: new services, reports, unanswered refunds, money that does not add up."""

import time
from dataclasses import dataclass

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import halting
from billing.admin import reading
from billing.domain.discrepancies import State as Fit
from billing.domain.requests import State
from billing.models import Discrepancy, Purchase, RefundRequest, ServiceReport
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
    rows: list["Line"]
    page: str
    more: str


@dataclass(frozen=True, slots=True)
class Line:
    pk: int
    words: str
    detail: str


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
    ).select_related("purchase")
    unfit = Discrepancy.objects.filter(state=Fit.OPEN)
    suspended = Suspension.objects.filter(lifted_at=None).select_related("service", "provider")
    return [
        _group(
            _("Reports of services"),
            ServiceReport,
            [
                Line(row.pk, f"{row.service}: {row.get_reason_display()}", row.text)
                for row in reports.order_by("reported_at_s")[:SHOWN]
            ],
        ),
        _group(
            _("Refunds asked for, and not answered for three days"),
            RefundRequest,
            [
                Line(row.pk, f"{row.purchase.route}: {_paid(row.purchase)}", row.reason)
                for row in asked.order_by("asked_at_s")[:SHOWN]
            ],
        ),
        _group(
            _("Payments and grants that do not agree"),
            Discrepancy,
            [
                Line(row.pk, row.finding.replace("_", " ").capitalize(), row.detail)
                for row in unfit[:SHOWN]
            ],
        ),
        _group(
            _("Suspended now"),
            Suspension,
            [Line(row.pk, str(row), row.reason) for row in suspended[:SHOWN]],
        ),
    ]


def _paid(purchase: Purchase) -> str:
    return reading.price(purchase.amount, purchase.asset_code)


def _group(title: str, model: type[Model], rows: list[Line]) -> Waiting:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # noqa: SLF001 - Django's way
    return Waiting(title, rows, f"{name}_change", f"{name}_changelist")


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
