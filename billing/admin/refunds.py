"""Refunds: prepared here, signed in the provider's own wallet, seen on chain.

A provider prepares and signs refunds of what it sold; staff of anything. Neither form runs inside a
transaction of the database, since both ask the payment network.
"""

import time
from decimal import Decimal, InvalidOperation

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import refunding
from billing.admin import reading
from billing.admin.exports import Exported
from billing.admin.reading import UNITS, purchase_link
from billing.api.bodies import standard
from billing.domain.errors import BillingError
from billing.domain.refunds import OPEN
from billing.models import Refund
from gateway.theme import moment
from marketplace.admin.scoping import OwnRowsAdmin, seller


class PrepareForm(forms.Form):
    purchase = forms.RegexField(r"^[0-9a-f]{64}$", help_text="The purchase's id, 64 digits.")
    amount = forms.CharField(max_length=30, help_text="In units of the asset, as 0.25.")
    reason = forms.CharField(max_length=200, required=False)
    ends_grant = forms.BooleanField(
        required=False, initial=True, help_text="Access ends when the refund is on chain."
    )

    def clean_amount(self) -> int:
        try:
            units = Decimal(self.cleaned_data["amount"]) * UNITS
        except InvalidOperation:
            raise forms.ValidationError("A decimal number.") from None
        if not units.is_finite() or units != units.to_integral_value():
            raise forms.ValidationError("At most seven decimals.")
        return int(units)


class SignForm(forms.Form):
    transaction = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6, "cols": 80}),
        label="The signed transaction (XDR)",
    )

    def clean_transaction(self) -> str:
        return standard("".join(self.cleaned_data["transaction"].split()), "transaction")


@admin.register(Refund)
class RefundAdmin(Exported[Refund], OwnRowsAdmin[Refund]):
    book = "refunds"
    owner_path = "provider"
    sellers_may = frozenset({"view", "add"})
    list_display = ("short", "state", "purchase", "price", "receiver", "moved")
    list_filter = ("state", "asset_code")
    list_select_related = ("purchase", "provider")
    search_fields = ("=id", "=purchase__id", "=tx_hash", "=receiver", "=payer")
    fields = (
        *("state", "sale", "provider", "price", "reason", "ends_grant", "payer", "receiver"),
        *("tx_hash", "ledger", "problem", "last_code", "moved", "act"),
    )

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<str:pk>/sign/", view(self.sign), name="billing_refund_sign"),
            *super().get_urls(),
        ]

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, object] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = PrepareForm(request.POST or None, initial=request.GET.dict())
        if request.method == "POST" and form.is_valid():
            wish = form.cleaned_data
            try:
                refund = refunding.prepare(
                    wish["purchase"],
                    amount=wish["amount"],
                    reason=wish["reason"],
                    ends_grant=wish["ends_grant"],
                    actor=request.user.get_username(),
                    seller=seller(request),
                    now_s=time.time(),
                )
            except BillingError as problem:
                form.add_error(None, problem.detail)
            else:
                return HttpResponseRedirect(reverse("admin:billing_refund_sign", args=[refund.pk]))
        return self._page(request, "prepare_refund.html", title="Prepare a refund", form=form)

    def sign(self, request: HttpRequest, pk: str) -> HttpResponse:
        refund = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = SignForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                refunding.sign(refund.pk, form.cleaned_data["transaction"], now_s=time.time())
            except BillingError as problem:
                form.add_error(None, problem.detail)
            else:
                where = reverse("admin:billing_refund_change", args=[refund.pk])
                return HttpResponseRedirect(where)
        return self._page(
            request, "sign_refund.html", title="Sign a refund", form=form, refund=refund
        )

    def _page(self, request: HttpRequest, template: str, **context: object) -> HttpResponse:
        context |= self.admin_site.each_context(request)
        return TemplateResponse(request, f"admin/billing/{template}", context)

    @admin.display(description="refund")
    def short(self, row: Refund) -> str:
        return f"{row.pk[:12]}…"

    @admin.display(description="amount", ordering="amount")
    def price(self, row: Refund) -> str:
        return reading.price(row.amount, row.asset_code)

    @admin.display(description="purchase")
    def sale(self, row: Refund) -> SafeString:
        return purchase_link(row.purchase_id)

    @admin.display(description="last move", ordering="moved_at_s")
    def moved(self, row: Refund) -> str:
        return moment(row.moved_at_s)

    @admin.display(description="to do")
    def act(self, row: Refund) -> SafeString:
        if row.state not in OPEN:
            return format_html("{}", "nothing")
        where = reverse("admin:billing_refund_sign", args=[row.pk])
        return format_html('<a href="{}">Sign it with the payer\'s wallet …</a>', where)
