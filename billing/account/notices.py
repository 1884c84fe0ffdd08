"""Which notices one gets, and where: by mail, and to addresses of one's own."""

import time

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing import noticing
from billing.account.pages import private
from billing.domain.notices import DAY_S, HOUR_S
from billing.models import NoticeChoice, WebhookDelivery, WebhookEndpoint
from billing.models.webhooks import URL_LENGTH_MAX
from billing.webhooks import announcing, registering
from billing.webhooks.registering import TooManyEndpoints
from gateway.addresses import AddressRefused, Unresolvable

EVENTS = (noticing.LIMIT, noticing.ENDING)
SHOWN = 50
MOMENTS = (
    (80, gettext_lazy("80 % of a limit is used")),
    (95, gettext_lazy("95 % of a limit is used")),
    (100, gettext_lazy("A limit is used up")),
    (DAY_S, gettext_lazy("A grant ends within 24 hours")),
    (HOUR_S, gettext_lazy("A grant ends within an hour")),
)


class ChoiceForm(forms.Form):
    wanted = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Tell me when"),
        choices=MOMENTS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    by_mail = forms.BooleanField(label=gettext_lazy("By mail, too"), required=False)


class EndpointForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=URL_LENGTH_MAX,
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    description = forms.CharField(
        label=gettext_lazy("What it is (for you)"), max_length=100, required=False
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        choices=[(each, each) for each in EVENTS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: all of them."),
    )


@private
@login_required
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    choice = NoticeChoice.objects.filter(user=user).first() or NoticeChoice(user=user)
    if request.method == "POST":
        form = ChoiceForm(request.POST)
        if form.is_valid():
            choice.wanted, choice.by_mail = (
                form.cleaned_data["wanted"],
                form.cleaned_data["by_mail"],
            )
            choice.save()
            messages.success(request, _("Saved."))
            return redirect("dashboard:notices")
    else:
        form = ChoiceForm(initial={"wanted": choice.wanted, "by_mail": choice.by_mail})
    return _page(request, user, form=form, adding=EndpointForm())


@private
@login_required
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    form = EndpointForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = registering.register(
                user,
                given["url"],
                events=given["events"],
                description=given["description"],
                now_s=time.time(),
            )
        except (AddressRefused, Unresolvable, TooManyEndpoints) as problem:
            form.add_error("url", str(problem))
        else:
            return redirect("dashboard:webhook", pk=made.pk)
    choice = NoticeChoice.objects.filter(user=user).first() or NoticeChoice(user=user)
    chosen = ChoiceForm(initial={"wanted": choice.wanted, "by_mail": choice.by_mail})
    return _page(request, user, form=chosen, adding=form)


@private
@login_required
@require_http_methods(["GET"])
def webhook(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint = _own(request, pk)
    context = {
        "endpoint": endpoint,
        "deliveries": WebhookDelivery.objects.filter(endpoint=endpoint)[:SHOWN],
        "waiting": announcing.waiting(endpoint),
    }
    return render(request, "billing/account/webhook.html", context)


@private
@login_required
@require_POST
def change(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """One of the buttons of an endpoint's page."""
    endpoint, now_s = _own(request, pk), time.time()
    if act == "remove":
        endpoint.delete()
        messages.success(request, _("Removed. It is told nothing more."))
        return redirect("dashboard:notices")
    if act == "test":
        came = announcing.test(endpoint, now_s=now_s)
        level = messages.SUCCESS if came is announcing.Tested.ON_ITS_WAY else messages.ERROR
        messages.add_message(request, level, announcing.WORDS[came])
    elif act == "secret":
        registering.replace_secret(endpoint, now_s=now_s)
        messages.success(request, _("Replaced. For a day messages are signed by both secrets."))
    elif act == "enable":
        registering.enable(endpoint)
    elif act == "replay":
        announcing.replay(request.POST.getlist("message")[:SHOWN], endpoint=endpoint, now_s=now_s)
    return redirect("dashboard:webhook", pk=endpoint.pk)


def _page(request: HttpRequest, user: User, **forms_: forms.Form) -> HttpResponse:
    context = {**forms_, "endpoints": registering.of(user)}
    return render(request, "billing/account/notices.html", context)


def _own(request: HttpRequest, pk: int) -> WebhookEndpoint:
    return get_object_or_404(registering.of(_user(request)), pk=pk)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
