"""Acts that a stolen session must not be enough for ask for the second factor anew.

Who has none confirms with the password. Who has neither sets one of them up first: fails closed.
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
View = Callable[..., HttpResponse]


def is_recent(request: HttpRequest, *, now_s: float) -> bool:
    """A second factor was shown in this session just now; the password, where there is none."""
    user = request.user
    if not isinstance(user, User):
        return False
    wanted = "mfa" if is_mfa_enabled(user) else "password"
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
