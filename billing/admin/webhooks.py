"""A provider's webhooks: where its servers are told of sales, and what they were told."""

import time
from collections.abc import Callable

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from billing.models import WebhookDelivery, WebhookEndpoint
from billing.models.webhooks import URL_LENGTH_MAX
from billing.webhooks import announcing, registering
from billing.webhooks.registering import TooManyEndpoints
from billing.webhooks.selling import EVENTS
from gateway.addresses import AddressRefused, Unresolvable
from marketplace.admin import desk
from marketplace.console import Screen
from marketplace.models import Provider

SHOWN = 50
Act = Callable[[HttpRequest, WebhookEndpoint, float], str]


class EndpointForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address of your server"),
        max_length=URL_LENGTH_MAX,
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("What it is told (none ticked: everything)"),
        choices=[(each, format_lazy("{}: {}", each, said)) for each, said in EVENTS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


def webhooks(request: HttpRequest) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Webhooks"))
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = registering.register(
                provider,
                form.cleaned_data["url"],
                events=form.cleaned_data["events"],
                now_s=time.time(),
            )
        except (AddressRefused, Unresolvable, TooManyEndpoints) as problem:
            form.add_error("url", str(problem))
        else:
            _log(request, provider, f"Added the webhook {made.url}")
            return _to(request, made.pk)
    endpoints = registering.of(provider)
    return _page(request, "admin/billing/webhooks.html", form=form, endpoints=endpoints)


def webhook(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Webhooks"))
    endpoint = registering.of(provider).filter(pk=pk).first()
    if endpoint is None:
        raise Http404
    if request.method == "POST":
        return _act(request, provider, endpoint)
    return _page(
        request,
        "admin/billing/webhook.html",
        endpoint=endpoint,
        deliveries=WebhookDelivery.objects.filter(endpoint=endpoint)[:SHOWN],
        waiting=announcing.waiting(endpoint),
    )


def _act(request: HttpRequest, provider: Provider, endpoint: WebhookEndpoint) -> HttpResponse:
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    said = act(request, endpoint, time.time())
    _log(request, provider, f"{said} ({endpoint.url})")
    messages.success(request, said)
    return _to(request, endpoint.pk)


def _test(_request: HttpRequest, endpoint: WebhookEndpoint, now_s: float) -> str:
    return str(announcing.WORDS[announcing.test(endpoint, now_s=now_s)])


def _replay(request: HttpRequest, endpoint: WebhookEndpoint, now_s: float) -> str:
    asked = request.POST.getlist("message")[:SHOWN]
    count = announcing.replay(asked, endpoint=endpoint, now_s=now_s)
    return _("%(count)d messages are sent again.") % {"count": count}


def _secret(_request: HttpRequest, endpoint: WebhookEndpoint, now_s: float) -> str:
    registering.replace_secret(endpoint, now_s=now_s)
    return _("The secret is replaced. For a day messages are signed by both.")


def _enable(_request: HttpRequest, endpoint: WebhookEndpoint, _now_s: float) -> str:
    registering.enable(endpoint)
    return _("Switched on.")


def _remove(_request: HttpRequest, endpoint: WebhookEndpoint, _now_s: float) -> str:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).delete()
    return _("Removed: it is told nothing more.")


ACTS: dict[str, Act] = {
    "test": _test,
    "replay": _replay,
    "secret": _secret,
    "enable": _enable,
    "remove": _remove,
}


def _to(request: HttpRequest, pk: int) -> HttpResponse:
    there = WebhookEndpoint.objects.filter(pk=pk).exists()
    where = reverse("admin:webhook", args=[pk]) if there else reverse("admin:webhooks")
    return HttpResponseRedirect(where + _query(request))


def _query(request: HttpRequest) -> str:
    return f"?provider={request.GET['provider']}" if "provider" in request.GET else ""


def _page(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    query = _query(request)
    return desk.page(request, template, title=_("Webhooks"), query=query, **context)


def _log(request: HttpRequest, provider: Provider, said: str) -> None:
    admin.site.get_model_admin(Provider).log_change(request, provider, said)


admin.site.screens += [  # type: ignore[attr-defined]
    Screen("webhooks", "webhooks/", webhooks, gettext_noop("Webhooks"), "webhook", desk.sells),
    Screen("webhook", "webhooks/<int:pk>/", webhook),
]
