"""Requests for refunds, answered by the provider who sold it; reports of services, by staff."""

import time
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import asking
from billing.admin import reading
from billing.admin.reading import purchase_link
from billing.domain.requests import State
from billing.models import RefundRequest, ServiceReport
from gateway.theme import moment
from marketplace.admin.generic import ModelAdmin
from marketplace.admin.scoping import OwnRowsAdmin


@admin.register(RefundRequest)
class RefundRequestAdmin(OwnRowsAdmin[RefundRequest]):
    """An answer declines; a refund that is prepared, signed and seen on chain settles it."""

    owner_path = "provider"
    sellers_may = frozenset({"view", "change"})
    list_display = ("purchase", "state", "price", "reason", "asked")
    list_filter = ("state",)
    list_select_related = ("purchase", "provider")
    search_fields = ("=purchase__id", "=purchase__buyer")
    fields = ("state", "sale", "price", "reason", "asked_by", "asked", "pay", "answer")

    def get_readonly_fields(
        self, _request: HttpRequest, obj: RefundRequest | None = None
    ) -> tuple[str, ...]:
        open_ = obj is not None and obj.state == State.ASKED
        return self.fields[:-1] if open_ else self.fields

    def has_add_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: RefundRequest,
        form: "ModelForm[RefundRequest]",  # noqa: ARG002 - Django's signature
        change: bool,  # noqa: ARG002
    ) -> None:
        if obj.answer:
            actor = request.user.get_username()
            asking.decline(obj, answer=obj.answer, actor=actor, now_s=time.time())

    @admin.display(description="purchase")
    def sale(self, row: RefundRequest) -> SafeString:
        return purchase_link(row.purchase_id)

    @admin.display(description="paid")
    def price(self, row: RefundRequest) -> str:
        return reading.price(row.purchase.amount, row.purchase.asset_code)

    @admin.display(description="asked", ordering="asked_at_s")
    def asked(self, row: RefundRequest) -> str:
        return moment(row.asked_at_s)

    @admin.display(description="to pay it back")
    def pay(self, row: RefundRequest) -> SafeString:
        left = reading.price(asking.left(row.purchase), "").strip()
        query = urlencode({"purchase": row.purchase_id, "amount": left, "reason": row.reason[:200]})
        where = reverse("admin:billing_refund_add")
        return format_html('<a href="{}?{}">Prepare the refund …</a>', where, query)


@admin.register(ServiceReport)
class ServiceReportAdmin(ModelAdmin[ServiceReport]):
    """Staff only: who is reported does not read it here."""

    list_display = ("service", "reason", "text", "reported", "handled")
    list_filter = ("reason", ("handled_at_s", admin.EmptyFieldListFilter))
    list_select_related = ("service",)
    readonly_fields = ("service", "purchase", "reporter", "reason", "text", "reported", "handled")
    fields = (*readonly_fields, "note")

    def has_add_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: ServiceReport,
        form: "ModelForm[ServiceReport]",
        change: bool,
    ) -> None:
        """A note says that it was handled."""
        obj.handled_at_s = int(time.time()) if obj.note else None
        super().save_model(request, obj, form, change)

    @admin.display(description="reported", ordering="reported_at_s")
    def reported(self, row: ServiceReport) -> str:
        return moment(row.reported_at_s)

    @admin.display(description="handled", ordering="handled_at_s")
    def handled(self, row: ServiceReport) -> str:
        return moment(row.handled_at_s)
