"""Becoming a provider: a profile, and the way into the provider area."""

import time

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.mails import is_reachable
from accounts.refusing import too_often
from gateway.domain.networks import network_of
from marketplace import payouts, throttling
from marketplace.models import Provider

JOINED_PER_NETWORK_HOUR = 20
HOUR_SECONDS = 3_600


class Profile(forms.ModelForm):  # type: ignore[type-arg]  # Not generic at run time.
    class Meta:
        model = Provider
        fields = ["name", "slug", "payout_address"]
        labels = {
            "name": gettext_lazy("Name"),
            "slug": gettext_lazy("Short name"),
            "payout_address": gettext_lazy("Payout address"),
        }
        help_texts = {
            "name": gettext_lazy("What buyers see: your company, project or your own name."),
            "slug": gettext_lazy("For addresses: lower-case letters, digits and hyphens."),
        }

    def clean_payout_address(self) -> str:
        return payouts.account(str(self.cleaned_data["payout_address"]))


def sell(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not isinstance(user, User):
        return render(request, "marketplace/sell.html")
    if user.is_staff or Provider.objects.filter(owner=user).exists():
        return redirect("admin:index")
    if not is_reachable(user):
        messages.warning(
            request, _("Confirm your e-mail address first: buyers' money is at stake.")
        )
        return redirect("account_email")
    if request.method == "POST" and not _may_try(request):
        return too_often(request)
    form = Profile(request.POST or None)
    if form.is_valid() and _join(form, user):
        messages.success(request, _("Welcome. Add your first service."))
        return redirect("admin:index")
    return render(request, "marketplace/sell.html", {"form": form})


def _join(form: Profile, user: User) -> bool:
    form.instance.owner = user
    try:
        with transaction.atomic():
            form.save()
            user.is_staff = True
            user.save(update_fields=["is_staff"])
    except IntegrityError:  # The name was taken, or the form sent twice, a moment ago.
        form.add_error("slug", _("Somebody has this name already."))
        return False
    return True


def _may_try(request: HttpRequest) -> bool:
    network = network_of(str(request.META.get("REMOTE_ADDR", "")))
    return throttling.allows(
        "join",
        network,
        limit=JOINED_PER_NETWORK_HOUR,
        window_s=HOUR_SECONDS,
        now_s=time.time(),
    )
