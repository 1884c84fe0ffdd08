"""Finding one's grants without an account of the site: by a token's key, or by a wallet."""

import time

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing import conf, instructing, logging_in
from billing.account import viewing
from billing.account.pages import private
from billing.api import bodies
from billing.api.endpoint import client_network
from billing.domain.errors import BillingError
from billing.pages import addresses

ATTEMPTS_PER_NETWORK_MINUTE = 30
TOKEN_MAX = 16_384


class TokenForm(forms.Form):
    token = forms.CharField(
        label=gettext_lazy("Access token"),
        max_length=TOKEN_MAX,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )


class WalletForm(forms.Form):
    account = forms.CharField(label=gettext_lazy("Stellar account"), max_length=56)


class SignatureForm(forms.Form):
    message = forms.CharField(max_length=1_000, widget=forms.HiddenInput)
    signature = forms.CharField(label=gettext_lazy("Signature (base64)"), max_length=100)


@private
@require_http_methods(["GET", "POST"])
def by_token(request: HttpRequest) -> HttpResponse:
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now_s = time.time()
        try:
            _count(request, now_s=now_s)
            shown = viewing.show_token(
                request, "".join(form.cleaned_data["token"].split()), now_s=now_s
            )
        except BillingError as problem:
            form.add_error("token", problem.detail)
        else:
            return redirect("dashboard:grant", grant_id=shown)
    return render(request, "billing/account/by_token.html", {"form": form})


@private
@require_POST
def by_purchase(request: HttpRequest, purchase_id: str) -> HttpResponse:
    """From the page of a purchase: whoever has its address sees what is left of it, too."""
    if not addresses.is_secret(purchase_id, request.POST.get("secret", "")):
        raise Http404
    viewing.hold(request, purchase_id)
    return redirect("dashboard:grant", grant_id=purchase_id)


@private
@require_http_methods(["GET", "POST"])
def by_wallet(request: HttpRequest) -> HttpResponse:
    """Two steps: which account, then its signature over a text of ours."""
    if "signature" in request.POST:
        return _signed(request)
    form = WalletForm(request.POST or None)
    context: dict[str, object] = {"form": form}
    if request.method == "POST" and form.is_valid():
        account = form.cleaned_data["account"].strip()
        if conf.rail().is_account(account):
            text = logging_in.text(account, now_s=time.time())
            context |= {"text": text, "form": SignatureForm(initial={"message": text})}
        else:
            form.add_error("account", _("A Stellar account: G and 55 more characters."))
    return render(request, "billing/account/by_wallet.html", context)


@private
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    viewing.forget(request)
    messages.success(request, _("This browser shows no grants any more."))
    return redirect("dashboard:overview")


def _signed(request: HttpRequest) -> HttpResponse:
    form = SignatureForm(request.POST)
    text = request.POST.get("message", "").replace("\r\n", "\n")
    if form.is_valid():
        now_s = time.time()
        try:
            _count(request, now_s=now_s)
            signature = bodies.decoded(form.cleaned_data["signature"].strip(), "signature")
            viewing.prove_wallet(request, text, signature, now_s=now_s)
        except BillingError as problem:
            form.add_error("signature", problem.detail)
        else:
            return redirect("dashboard:overview")
    return render(request, "billing/account/by_wallet.html", {"form": form, "text": text})


def _count(request: HttpRequest, *, now_s: float) -> None:
    network = client_network(request)
    instructing.check_often("account", network, ATTEMPTS_PER_NETWORK_MINUTE, now_s=now_s)
