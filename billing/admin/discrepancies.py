"""What does not fit. Staff can say why one stands; a look at the books says when it is gone."""

import time

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing import noting
from billing.admin.reading import link, purchase_of, with_purchase
from billing.admin.trails import trail
from billing.domain.discrepancies import Event, State, after
from billing.models import ChainTransaction, Discrepancy, Payment
from gateway.theme import moment
from marketplace.admin.generic import ModelAdmin, ModelForm


@admin.register(Discrepancy)
class DiscrepancyAdmin(ModelAdmin[Discrepancy]):
    list_display = ("finding", "state", "about", "detail", "first_seen", "last_seen")
    list_filter = ("state", "finding")
    search_fields = ("=subject", "=reference")
    readonly_fields = (
        *("finding", "state", "about", "payment", "transaction", "detail"),
        *("sale", "first_seen", "last_seen", "ended"),
    )
    fields = (*readonly_fields, "note")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discrepancy]:
        return with_purchase(super().get_queryset(request), "subject")

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, row: Model | None = None) -> bool:
        may = super().has_change_permission(request)
        explicable = row is None or after(State(getattr(row, "state")), Event.EXPLAIN)  # noqa: B009
        return may and bool(explicable)

    def save_model(
        self,
        request: HttpRequest,
        obj: Discrepancy,
        form: ModelForm[Discrepancy],
        change: bool,  # noqa: ARG002 - Django's signature
    ) -> None:
        words = str(form.cleaned_data["note"])
        noting.explain(obj.pk, words, actor=request.user.get_username(), now_s=time.time())

    @admin.display(description="about", ordering="subject")
    def about(self, row: Discrepancy) -> SafeString:
        return purchase_of(row, row.subject)

    @admin.display(description="payment")
    def payment(self, row: Discrepancy) -> SafeString:
        lookup = {"tx_hash": row.reference} if row.reference else {"purchase_ref": row.subject}
        return link(row.reference or "payments of this purchase", Payment, lookup)

    @admin.display(description="transaction")
    def transaction(self, row: Discrepancy) -> SafeString:
        lookup = {"tx_hash": row.reference} if row.reference else {"purchase": row.subject}
        return link(row.reference or "envelopes of this purchase", ChainTransaction, lookup)

    @admin.display(description="follow")
    def sale(self, row: Discrepancy) -> SafeString:
        return trail(row, row.subject)

    @admin.display(description="first seen", ordering="first_seen_at_s")
    def first_seen(self, row: Discrepancy) -> str:
        return moment(row.first_seen_at_s)

    @admin.display(description="last seen", ordering="last_seen_at_ms")
    def last_seen(self, row: Discrepancy) -> str:
        return moment(row.last_seen_at_ms // 1000)

    @admin.display(description="resolved")
    def ended(self, row: Discrepancy) -> str:
        return moment(row.ended_at_s)
