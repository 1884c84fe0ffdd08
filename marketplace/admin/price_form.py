"""The price form: units as people say them; base units, seconds and JSON stay behind it."""

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from gateway.domain.limits import parse_limits
from marketplace import guarding
from marketplace.admin import limit_fields, meter_fields
from marketplace.admin.generic import ModelForm
from marketplace.domain import plans
from marketplace.domain.quotes import JsonObject
from marketplace.domain.undercutting import undercut
from marketplace.models import ACCESS_SECONDS_MAX, Route, RouteQuote

UNITS = [(unit, f"{unit}s") for unit in plans.DURATIONS if unit != "second"]


class PriceForm(limit_fields.LimitsForm, meter_fields.MeterForm, ModelForm[RouteQuote]):
    price = forms.CharField(
        max_length=20,
        help_text="In units of the asset, such as 2.5. 0 makes it free.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "size": 12, "autocomplete": "off"}),
    )
    asset = forms.ChoiceField()
    access_count = forms.IntegerField(label="lasts", min_value=1, initial=1)
    access_unit = forms.ChoiceField(label="unit", choices=UNITS, initial="hour")

    class Meta:
        model = RouteQuote
        fields = ["route", "name", "starts", "charge", "adjustable"]

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.kept: list[JsonObject] = []
        asset = self.fields["asset"]
        assert isinstance(asset, forms.ChoiceField)
        asset.choices = [(code, code) for code in settings.CHAIN.assets]
        if self.instance.pk:
            self._show(self.instance)

    def _show(self, price: RouteQuote) -> None:
        count, unit = plans.split_duration(price.access_seconds)
        shown, self.kept = limit_fields.initial(price.limits)
        self.initial = {
            **self.initial,
            "price": plans.show_amount(price.amount).replace(",", ""),
            "asset": price.asset,
            "access_count": count,
            "access_unit": unit,
            **shown,
            **meter_fields.initial(price.limits, price.meter),
        }
        limit_fields.offer_windows(self, price.limits)
        if unit == "second":
            self.fields["access_unit"] = forms.ChoiceField(
                label="unit", choices=[*UNITS, ("second", "seconds")]
            )
        if price.state != RouteQuote.State.DRAFT:
            # Another name or route is another offer, not another version of this one.
            for name in {"route", "name"} & set(self.fields):
                self.fields[name].disabled = True

    def clean_price(self) -> str:
        try:
            self.instance.amount = plans.parse_amount(self.cleaned_data["price"].strip())
        except plans.AmountError as exc:
            raise ValidationError(str(exc)) from exc
        return str(self.cleaned_data["price"])

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        self.instance.limits = limit_fields.collect(self, cleaned) + self.kept
        self.instance.meter = meter_fields.collect(self, cleaned, self.instance.limits)
        if "asset" in cleaned:
            self.instance.asset = str(cleaned["asset"])
        count, unit = cleaned.get("access_count"), cleaned.get("access_unit")
        if isinstance(count, int) and isinstance(unit, str):
            self.instance.access_seconds = count * plans.DURATIONS[unit]
            if self.instance.access_seconds > ACCESS_SECONDS_MAX:
                self.add_error("access_count", "Access lasts ten years at most.")
        self._check_no_other_draft(cleaned)
        if not self.errors:
            self._check_guards(cleaned["route"])
        return cleaned

    def _check_guards(self, route: object) -> None:
        assert isinstance(route, Route)
        price = self.instance
        guard = guarding.guard_of(route, route.service)
        if said := undercut(guard, parse_limits(price.limits), price.access_seconds):
            self.add_error(None, f"The route's guards would take away what is sold: {said}.")

    def _check_no_other_draft(self, cleaned: dict[str, object]) -> None:
        route = cleaned.get("route")
        if not isinstance(route, Route):
            return
        drafts = route.quotes.filter(state=RouteQuote.State.DRAFT, name=str(cleaned.get("name")))
        if drafts.exclude(pk=self.instance.pk).exists():
            self.add_error("name", "There is a draft of this offer already: change that one.")
