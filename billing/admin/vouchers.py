"""Vouchers of a provider: issued, looked at, ended. Their codes are shown once."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from billing import vouchers
from billing.models import Voucher
from gateway.theme import moment
from marketplace.admin import desk
from marketplace.admin.scoping import OwnRowsAdmin, seller
from marketplace.models import Provider, RouteQuote

DAYS = 30


class PriceField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: RouteQuote) -> str:
        return f"{obj.route.identifier}, {obj}"


class VoucherForm(forms.Form):
    price = PriceField(label=gettext_lazy("What it buys"), queryset=RouteQuote.objects.none())
    uses = forms.IntegerField(
        label=gettext_lazy("Buyers a code"), min_value=1, max_value=vouchers.USES_MAX, initial=1
    )
    count = forms.IntegerField(
        label=gettext_lazy("Codes"), min_value=1, max_value=vouchers.CODES_MAX, initial=1
    )
    until = forms.DateField(
        label=gettext_lazy("Until the end of (UTC)"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    note = forms.CharField(
        label=gettext_lazy("For whom (only you see it)"), required=False, max_length=100
    )

    def __init__(self, provider: Provider, data: QueryDict | None = None) -> None:
        super().__init__(data)
        price = self.fields["price"]
        assert isinstance(price, PriceField)
        offered = [each.pk for each in vouchers.of(provider)]
        price.queryset = RouteQuote.objects.filter(pk__in=offered).select_related("route__service")
        self.fields["until"].initial = (timezone.now() + timedelta(days=DAYS)).date()

    def clean_until(self) -> int:
        """The first second after that day."""
        day = self.cleaned_data["until"] + timedelta(days=1)
        until_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        if until_s <= time.time():
            raise forms.ValidationError(_("This day is over."))
        return until_s


@admin.register(Voucher)
class VoucherAdmin(OwnRowsAdmin[Voucher]):
    owner_path = "provider"
    sellers_may = frozenset({"view", "add"})
    list_display = ["__str__", "price", "used", "until", "state", "note"]
    list_select_related = ["price__route__service", "provider"]
    search_fields = ["hint", "note"]
    fields = ["price", "used", "until", "state", "note", "ending"]
    readonly_fields = ["price", "used", "until", "state", "note", "ending"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voucher]:
        return super().get_queryset(request).select_related("provider")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who sells may give away; staff has nothing of its own to give."""
        return seller(request) is not None and super().has_add_permission(request)

    def has_change_permission(self, _request: HttpRequest, _row: Voucher | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Voucher | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        end = self.admin_site.admin_view(require_POST(self.end))
        return [path("<int:pk>/end/", end, name="end_voucher"), *super().get_urls()]

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, object] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        provider = seller(request)
        if provider is None or not self.has_add_permission(request):
            raise PermissionDenied
        form = VoucherForm(provider, request.POST or None)
        codes: list[str] = []
        if request.method == "POST" and form.is_valid():
            codes = self._issue(request, form.cleaned_data)
        return desk.page(
            request,
            "admin/billing/voucher.html",
            title=_("Issue vouchers"),
            form=form,
            codes=codes,
            opts=self.opts,
        )

    def _issue(self, request: HttpRequest, asked: dict[str, Any]) -> list[str]:
        made = vouchers.issue(
            asked["price"],
            count=asked["count"],
            uses=asked["uses"],
            until_s=asked["until"],
            note=asked["note"],
            actor=request.user.get_username(),
            now_s=time.time(),
        )
        for _code, voucher in made:
            self.log_addition(request, voucher, "Issued.")
        return [code for code, _voucher in made]

    def end(self, request: HttpRequest, pk: int) -> HttpResponse:
        voucher = self.get_object(request, str(pk))
        if voucher is not None and vouchers.end(
            voucher, actor=request.user.get_username(), now_s=time.time()
        ):
            self.log_change(request, voucher, "Ended.")
            said = _("%(code)s is ended: what was redeemed runs on.") % {"code": voucher}
            messages.success(request, said)
        return HttpResponseRedirect(reverse("admin:billing_voucher_changelist"))

    @admin.display(description=gettext_lazy("used"))
    def used(self, row: Voucher) -> str:
        return f"{row.uses:,} / {row.uses_max:,}"

    @admin.display(description=gettext_lazy("until"), ordering="until_s")
    def until(self, row: Voucher) -> str:
        return moment(row.until_s)

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: Voucher) -> str:
        if row.ended_at_s is not None:
            return _("ended")
        if row.until_s <= time.time():
            return _("over")
        return _("used up") if row.uses >= row.uses_max else _("good")

    @admin.display(description=gettext_lazy("end it"))
    def ending(self, row: Voucher) -> SafeString:
        if row.ended_at_s is not None:
            return format_html("{}", moment(row.ended_at_s))
        return format_html(
            '<button class="button danger" formaction="{}" formmethod="post">{}</button>',
            reverse("admin:end_voucher", args=[row.pk]),
            _("End this voucher"),
        )
