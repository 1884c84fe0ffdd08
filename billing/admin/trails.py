"""The trail of one sale: from any of its rows to all others, and back."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.admin.reading import link
from billing.models import (
    AuditEntry,
    ChainTransaction,
    Discrepancy,
    GrantedToken,
    Payment,
    Purchase,
    Refund,
)
from gateway.admin import GrantLedgerAdmin
from gateway.models import GrantLedger
from marketplace.admin.generic import FieldGroups
from marketplace.admin.provider import QuoteAdmin
from marketplace.models import Quote, RouteQuote

_TRAIL = "apicharge_trail"


def trail(row: Model, purchase_id: str, digest: str = "") -> SafeString:
    """Words stay plain where there is no such row. The theme asks several times for each page."""
    known: SafeString | None = row.__dict__.get(_TRAIL)
    if known is None:
        known = row.__dict__[_TRAIL] = _links(purchase_id, digest)
    return known


def _links(purchase_id: str, digest: str) -> SafeString:
    purchase = Purchase.objects.filter(pk=purchase_id).first()
    digest = digest or (purchase.digest if purchase is not None else "")
    links = [
        link("purchase", Purchase, {"id": purchase_id}),
        link("payment", Payment, {"purchase_ref": purchase_id}),
        link("transactions", ChainTransaction, {"purchase": purchase_id}),
        link("signed quote", Quote, {"digest": digest}),
        link("price and version", RouteQuote, {"signed__digest": digest}),
        link("granted token", GrantedToken, {"purchase_id": purchase_id}),
        link("grant and use", GrantLedger, {"grant_id": purchase_id}),
        link("refunds", Refund, {"purchase": purchase_id}),
        link("discrepancies", Discrepancy, {"subject": purchase_id}),
        link("audit entries", AuditEntry, {"subject": purchase_id}),
    ]
    return format_html_join(" · ", "{}", ((each,) for each in links))


class GrantTrailAdmin(GrantLedgerAdmin):
    """The gate's page of a grant, with the way back to who paid for it."""

    readonly_fields: ClassVar[tuple[str, ...]] = (*GrantLedgerAdmin.readonly_fields, "sale")

    def get_fields(self, request: HttpRequest, row: Model | None = None) -> tuple[str, ...]:
        return (*super().get_fields(request, row), "sale")

    @admin.display(description="sale")
    def sale(self, row: GrantLedger) -> SafeString:
        return trail(row, row.grant_id)


class QuoteTrailAdmin(QuoteAdmin):
    """The signed quote's page, with what was bought by it."""

    readonly_fields = ("purchases",)

    def get_fields(self, request: HttpRequest, obj: Quote | None = None) -> FieldGroups:
        return (*super().get_fields(request, obj), "purchases")

    @admin.display(description="purchases")
    def purchases(self, row: Quote) -> SafeString:
        found = link("purchases by this quote", Purchase, {"digest": row.digest})
        return format_html("{}", found)


admin.site.unregister([GrantLedger, Quote])
admin.site.register(GrantLedger, GrantTrailAdmin)
admin.site.register(Quote, QuoteTrailAdmin)
