"""Finding one's grants without an account of the site: by a token's key, or by a wallet."""

import time

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing.account import proving, viewing
from billing.account.pages import private
from billing.domain.errors import BillingError
from billing.pages import addresses

TOKEN_MAX = 16_384


class TokenForm(forms.Form):
    token = forms.CharField(
        label=gettext_lazy("Access token"),
        max_length=TOKEN_MAX,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )


@private
@require_http_methods(["GET", "POST"])
def by_token(request: HttpRequest) -> HttpResponse:
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now_s = time.time()
        try:
            proving.count(request, now_s=now_s)
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
    def proven(text: str, signature: bytes, now_s: float) -> HttpResponse:
        viewing.prove_wallet(request, text, signature, now_s=now_s)
        return redirect("dashboard:overview")

    return proving.prove(request, "billing/account/by_wallet.html", proven)


@private
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    viewing.forget(request)
    messages.success(request, _("This browser shows no grants any more."))
    return redirect("dashboard:overview")
