"""Logging in to the site with a wallet, and the wallets of an account."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import second_factor, wallets
from accounts.models import Wallet
from billing import conf, logging_in
from billing.account import proving


@never_cache
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("billing:wallets")

    def proven(text: str, signature: bytes, now_s: float) -> HttpResponse:
        return wallets.log_in(request, _account(text, signature, now_s))

    return proving.prove(request, "billing/wallet_login.html", proven, _context())


@never_cache
@login_required
@require_safe
def own(request: HttpRequest) -> HttpResponse:
    bound = Wallet.objects.filter(user=request.user.pk)
    return render(request, "billing/wallets.html", {"wallets": bound})


@never_cache
@login_required
@second_factor.required
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A wallet logs in for ever: a stolen session must not be able to add one."""

    def proven(text: str, signature: bytes, now_s: float) -> HttpResponse:
        user = request.user
        assert isinstance(user, User)  # `login_required` stands before.
        try:
            wallets.bind(user, _account(text, signature, now_s))
        except wallets.Taken:
            messages.error(request, _("This wallet belongs to another account."))
        else:
            messages.success(request, _("The wallet logs you in from now on."))
        return redirect("billing:wallets")

    return proving.prove(request, "billing/wallet_login.html", proven, _context(adding=True))


@require_POST
@login_required
@second_factor.required
def remove(request: HttpRequest, wallet_id: int) -> HttpResponse:
    wallet = get_object_or_404(Wallet, pk=wallet_id, user=request.user.pk)
    try:
        wallets.unbind(wallet)
    except wallets.OnlyWayIn:
        messages.error(request, _("It is the only way in to this account: add another one first."))
    return redirect("billing:wallets")


def _account(text: str, signature: bytes, now_s: float) -> str:
    token = logging_in.by_text(text, signature, now_s=now_s)
    return logging_in.logged_in(token, now_s=now_s)


def _context(*, adding: bool = False) -> proving.Context:
    chain = conf.conf().chain
    page = {"passphrase": chain.passphrase, "sandbox": chain.is_sandbox}
    return {"adding": adding, "chain": chain, "page": page}
