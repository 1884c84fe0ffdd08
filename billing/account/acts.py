"""What a buyer does with a grant: end it, ask for the money back, report the service."""

import time

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing import asking, gifting, instructing, withdrawing
from billing.account.cards import cards
from billing.account.pages import own, private
from billing.account.viewing import Viewer, viewer
from billing.api.endpoint import client_network
from billing.domain.errors import BillingError
from billing.domain.requests import State
from billing.models import Purchase, RefundRequest, ServiceReport
from billing.pages import addresses
from billing.pages.checkout import remember
from marketplace.models import Service

REPORTS_PER_NETWORK_MINUTE = 10


class RevokeForm(forms.Form):
    token = forms.RegexField(
        r"\A[A-Za-z0-9._:-]{1,64}\Z",
        label=gettext_lazy("Only the access token with this id (jti)"),
        help_text=gettext_lazy("Empty: the whole grant, and every token of it."),
        required=False,
    )
    sure = forms.BooleanField(label=gettext_lazy("It cannot be undone, and nothing is paid back."))


class RefundForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("What went wrong"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class ReportForm(forms.ModelForm):  # type: ignore[type-arg] # Generic to the checker alone.
    class Meta:
        model = ServiceReport
        fields = ("reason", "text")
        labels = {"reason": gettext_lazy("What is wrong"), "text": gettext_lazy("Tell us more")}
        widgets = {"text": forms.Textarea(attrs={"rows": 4})}


@private
@require_http_methods(["GET", "POST"])
def revoke(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    who, purchase = _of_owner(request, grant_id, now_s=now_s)
    form = RevokeForm(request.POST or None, initial={"token": request.GET.get("token", "")})
    if request.method == "POST" and form.is_valid():
        token_id = form.cleaned_data["token"].strip()
        withdrawing.withdraw(purchase.pk, token_id, actor=named(who), now_s=now_s)
        messages.success(request, _("Revoked. Every gate refuses it within a second."))
        return redirect("dashboard:grant", grant_id=grant_id)
    return _page(request, purchase, form, "revoke", now_s=now_s)


@private
@require_http_methods(["GET", "POST"])
def refund(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    who, purchase = _of_owner(request, grant_id, now_s=now_s)
    form = RefundForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            asking.ask(purchase, reason=reason, asked_by=named(who), now_s=now_s)
        except BillingError as problem:
            form.add_error(None, problem.detail)
        else:
            messages.success(request, _("The provider has been told, and can pay it back to you."))
            return redirect("dashboard:refund", grant_id=grant_id)
    asked = list(RefundRequest.objects.filter(purchase=purchase))
    waiting = any(each.state == State.ASKED for each in asked)
    return _page(request, purchase, form, "refund", now_s=now_s, asked=asked, waiting=waiting)


@private
@require_POST
def take_back(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    who, purchase = _of_owner(request, grant_id, now_s=now_s)
    for asked in RefundRequest.objects.filter(purchase=purchase, state=State.ASKED):
        asking.take_back(asked, actor=named(who), now_s=now_s)
    return redirect("dashboard:refund", grant_id=grant_id)


@private
@require_http_methods(["GET", "POST"])
def report(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    who, purchase = _of_owner(request, grant_id, now_s=now_s)
    slug = purchase.route.partition("/")[0]
    service = Service.objects.filter(slug=slug).first()
    if service is None:
        raise Http404
    form = ReportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        report = form.save(commit=False)
        report.service, report.purchase, report.reporter = service, purchase, who.user
        report.reported_at_s = int(now_s)
        try:
            network = client_network(request)
            instructing.check_often("report", network, REPORTS_PER_NETWORK_MINUTE, now_s=now_s)
            with transaction.atomic():
                report.save()
        except IntegrityError:
            form.add_error(None, _("You have reported it already; we have not answered yet."))
        except BillingError as problem:
            form.add_error(None, problem.detail)
        else:
            messages.success(request, _("Thank you. We will look at it."))
            return redirect("dashboard:grant", grant_id=grant_id)
    return _page(request, purchase, form, "report", now_s=now_s)


@private
@require_POST
def take_gift(request: HttpRequest, grant_id: str, gift_id: int) -> HttpResponse:
    """What is signed is on the page of the purchase that it makes."""
    now_s = time.time()
    _who, purchase = _of_owner(request, grant_id, now_s=now_s)
    try:
        made = gifting.take(purchase, gift_id, client_network(request), now_s=now_s)
    except BillingError as problem:
        messages.error(request, problem.detail)
        return redirect("dashboard:grant", grant_id=grant_id)
    remember(request, made)
    return redirect(addresses.path(made.pk))


def named(who: Viewer) -> str:
    """As the audit log names them."""
    return who.user.get_username() if who.user is not None else " ".join(who.wallets)


def _of_owner(request: HttpRequest, grant_id: str, *, now_s: float) -> tuple[Viewer, Purchase]:
    """Holding its key shows a grant, and is not enough for these."""
    who = viewer(request, now_s=now_s)
    purchase = own(who, grant_id, now_s=now_s)
    if not who.owns(purchase):
        raise Http404
    return who, purchase


def _page(
    request: HttpRequest,
    purchase: Purchase,
    form: forms.BaseForm,
    act: str,
    *,
    now_s: float,
    **more: object,
) -> HttpResponse:
    context = {"card": cards([purchase], now_s=now_s)[0], "form": form, "act": act, **more}
    return render(request, f"billing/account/{act}.html", context)
