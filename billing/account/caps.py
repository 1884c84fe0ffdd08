"""What a user allows to be spent: shown and set on the page of what was spent."""

from dataclasses import dataclass

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from billing import capping
from billing.account import metering
from billing.account.pages import private
from billing.models import SpendingCap
from marketplace.domain import plans
from marketplace.domain.plans import AmountError


@dataclass(frozen=True, slots=True)
class Cap:
    """Of one asset; `amount` is empty where nothing was set."""

    code: str
    amount: str
    spent: str
    percent: int
    level: str

    @property
    def typed(self) -> str:
        return self.amount.replace(",", "")


class CapForm(forms.Form):
    asset = forms.CharField()
    amount = forms.CharField(label=gettext_lazy("At most"), required=False, max_length=20)

    def clean_asset(self) -> str:
        if self.cleaned_data["asset"] not in settings.CHAIN.assets:
            raise forms.ValidationError(_("Nothing is paid in it here."))
        return str(self.cleaned_data["asset"])

    def clean_amount(self) -> int | None:
        typed = self.cleaned_data["amount"].strip()
        try:
            return plans.parse_amount(typed) if typed else None
        except AmountError as exc:
            raise forms.ValidationError(str(exc)) from exc


@private
@login_required
@require_POST
def change(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    form = CapForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(each[0]) for each in form.errors.values()))
        return redirect("dashboard:spending")
    code, amount = form.cleaned_data["asset"], form.cleaned_data["amount"]
    own = SpendingCap.objects.filter(user=request.user, asset=settings.CHAIN.assets[code].sac)
    if amount is None:
        own.delete()
        messages.success(request, _("Nothing is held back any more."))
        return redirect("dashboard:spending")
    SpendingCap.objects.update_or_create(
        user=request.user,
        asset=settings.CHAIN.assets[code].sac,
        defaults={"amount": amount},
    )
    messages.success(request, _("From now on, no more than that is spent in any 30 days."))
    return redirect("dashboard:spending")


def caps_of(user: User, *, now_s: float) -> list[Cap]:
    """One for each asset that is paid with here."""
    known = dict(SpendingCap.objects.filter(user=user).values_list("asset", "amount"))
    spent = capping.spent_by(user.pk, now_s=now_s) if known else {}
    return [
        _shown(code, known.get(asset.sac), spent.get(asset.sac, 0))
        for code, asset in settings.CHAIN.assets.items()
    ]


def _shown(code: str, cap: int | None, spent: int) -> Cap:
    if cap is None:
        return Cap(code, "", "", 0, "")
    share = min(100, metering.percent(spent, cap))
    level = "full" if share >= metering.FULL else "near" if share >= metering.NEAR else ""
    return Cap(code, plans.show_amount(cap), plans.show_amount(spent), share, level)
