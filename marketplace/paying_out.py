"""The page on which a provider changes where money goes, and the one that cancels it."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import second_factor
from accounts.mails import is_reachable
from marketplace import payouts
from marketplace.models import Provider


class NewAddress(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("New payout address"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("It needs a trustline for each asset that you sell for."),
    )

    def clean_address(self) -> str:
        return payouts.account(str(self.cleaned_data["address"]))


@login_required
def payout(request: HttpRequest) -> HttpResponse:
    provider = _own(request)
    if request.method == "POST":
        return ask(request)
    return _page(request, provider, NewAddress())


@second_factor.required
def ask(request: HttpRequest) -> HttpResponse:
    provider, form, now = _own(request), NewAddress(request.POST), timezone.now()
    if not is_reachable(provider.owner):
        messages.warning(request, _("Confirm your e-mail address first: we write to it."))
        return redirect("account_email")
    if not form.is_valid():
        return _page(request, provider, form)
    address = form.cleaned_data["address"]
    if address == provider.payout_address:
        form.add_error("address", _("This is the address already."))
        return _page(request, provider, form)
    try:
        change = payouts.ask(provider, address, provider.owner, now=now)
    except payouts.ChangeUnderWay:
        messages.warning(request, _("Another change is under way: cancel it first."))
        return redirect("marketplace:payout")
    payouts.tell(change, now=now)  # What fails here is done by the beat.
    messages.success(request, _("The new address is in force in 24 hours."))
    return redirect("marketplace:payout")


@require_POST
@login_required
def stop(request: HttpRequest) -> HttpResponse:
    for change in payouts.under_way().filter(provider=_own(request)):
        payouts.cancel(change, now=timezone.now())
    messages.success(request, _("The address stays as it is."))
    return redirect("marketplace:payout")


def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """From the mail: whoever reads the owner's mail may, logged in or not."""
    change = payouts.read(token)
    done = False
    if change is not None and request.method == "POST":
        done = payouts.cancel(change, now=timezone.now())
    context = {"change": change, "done": done}
    status = 404 if change is None else 200
    return render(request, "marketplace/payout_cancel.html", context, status=status)


def _own(request: HttpRequest) -> Provider:
    return get_object_or_404(Provider.objects.select_related("owner"), owner=request.user.pk)


def _page(request: HttpRequest, provider: Provider, form: NewAddress) -> HttpResponse:
    context = {
        "provider": provider,
        "form": form,
        "change": payouts.under_way().filter(provider=provider).first(),
        "past": provider.payout_changes.exclude(applied_at=None)[:10],
    }
    return render(request, "marketplace/payout.html", context)
