"""Two steps in a page: which Stellar account, then its signature over a text of ours (SEP-53)."""

import time
from collections.abc import Callable

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import conf, instructing, logging_in
from billing.api import bodies
from billing.api.endpoint import client_network
from billing.domain.errors import BillingError

ATTEMPTS_PER_NETWORK_MINUTE = 30

Context = dict[str, object]
Proven = Callable[[str, bytes, float], HttpResponse]
"""What is done with text, signature and time; what it raises of billing's errors is shown."""


class WalletForm(forms.Form):
    account = forms.CharField(label=gettext_lazy("Stellar account"), max_length=56)


class SignatureForm(forms.Form):
    message = forms.CharField(max_length=1_000, widget=forms.HiddenInput)
    signature = forms.CharField(label=gettext_lazy("Signature (base64)"), max_length=100)


def prove(
    request: HttpRequest, template: str, proven: Proven, context: Context | None = None
) -> HttpResponse:
    shown = context or {}
    if "signature" in request.POST:
        return _signed(request, template, proven, shown)
    form = WalletForm(request.POST or None)
    shown = {**shown, "form": form}
    if request.method == "POST" and form.is_valid():
        account = form.cleaned_data["account"].strip()
        if conf.rail().is_account(account):
            text = logging_in.text(account, now_s=time.time())
            shown |= {"text": text, "form": SignatureForm(initial={"message": text})}
        else:
            form.add_error("account", _("A Stellar account: G and 55 more characters."))
    return render(request, template, shown)


def count(request: HttpRequest, *, now_s: float) -> None:
    network = client_network(request)
    instructing.check_often("account", network, ATTEMPTS_PER_NETWORK_MINUTE, now_s=now_s)


def _signed(request: HttpRequest, template: str, proven: Proven, context: Context) -> HttpResponse:
    form = SignatureForm(request.POST)
    text = request.POST.get("message", "").replace("\r\n", "\n")
    if form.is_valid():
        now_s = time.time()
        try:
            count(request, now_s=now_s)
            signature = bodies.decoded(form.cleaned_data["signature"].strip(), "signature")
            return proven(text, signature, now_s)
        except BillingError as problem:
            form.add_error("signature", problem.detail)
    return render(request, template, {**context, "form": form, "text": text})
