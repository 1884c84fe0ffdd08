"""Acts that a stolen session must not be enough for ask for the second factor anew.

Who has none confirms with the password; who has neither has just logged in with a wallet, or sets
a second factor up first. Fails closed.
"""

import time
from collections.abc import Callable
from functools import wraps

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

RECENT_SECONDS = 300
WALLET = "wallet"  # What accounts/wallets.py records.
View = Callable[..., HttpResponse]


def is_recent(request: HttpRequest, *, now_s: float) -> bool:
    """What the account has of the strongest kind was shown in this session just now."""
    user = request.user
    if not isinstance(user, User):
        return False
    wanted = _strongest(user)
    return any(
        record.get("method") == wanted and 0 <= now_s - record["at"] < RECENT_SECONDS
        for record in get_authentication_records(request, user)
    )


def required(view: View) -> View:
    """For views that change something: what was sent is kept and done after the confirmation."""

    @wraps(view)
    def confirmed(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if is_recent(request, now_s=time.time()):
            return view(request, *args, **kwargs)
        user = request.user
        if isinstance(user, User) and not (is_mfa_enabled(user) or user.has_usable_password()):
            messages.warning(request, _("Set up a second factor first."))
            return redirect("mfa_index")
        raise ReauthenticationRequired

    return confirmed


def _strongest(user: User) -> str:
    if is_mfa_enabled(user):
        return "mfa"
    return "password" if user.has_usable_password() else WALLET
