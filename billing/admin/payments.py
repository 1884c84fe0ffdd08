"""From a payment to its transaction and purchase, and how far evidence is followed."""

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing.admin.exports import Exported
from billing.admin.reading import ReadOnly, price, purchase_of, with_purchase
from billing.admin.trails import trail
from billing.models import EventCursor, Payment
from gateway.theme import moment
from marketplace.admin.generic import ModelAdmin


@admin.register(Payment)
class PaymentAdmin(ReadOnly, Exported[Payment]):
    book = "payments"
    list_display = ("transaction", "standing", "differs_in", "purchase", "paid", "ledger", "closed")
    list_filter = ("standing", "network")
    search_fields = ("=tx_hash", "=purchase_ref", "=buyer", "=digest")
    readonly_fields = ("paid", "closed", "purchase", "sale")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return with_purchase(super().get_queryset(request), "purchase_ref")

    @admin.display(description="follow")
    def sale(self, row: Payment) -> SafeString:
        return trail(row, row.purchase_ref, row.digest)

    @admin.display(description="transaction", ordering="tx_hash")
    def transaction(self, row: Payment) -> str:
        return f"{row.tx_hash[:16]}…"

    @admin.display(description="paid", ordering="amount")
    def paid(self, row: Payment) -> str:
        assets = settings.CHAIN.assets
        codes = (code for code, asset in assets.items() if asset.sac == row.asset)
        return price(row.amount, next(codes, "")).strip()

    @admin.display(description="closed", ordering="closed_at_s")
    def closed(self, row: Payment) -> str:
        return moment(row.closed_at_s)

    @admin.display(description="purchase")
    def purchase(self, row: Payment) -> SafeString:
        return purchase_of(row, row.purchase_ref)


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnly, ModelAdmin[EventCursor]):
    """How far evidence is followed."""

    list_display = ("network", "contract", "followed_ledger", "looked")
    readonly_fields = ("looked",)

    @admin.display(description="looked", ordering="looked_at_ms")
    def looked(self, row: EventCursor) -> str:
        return moment(row.looked_at_ms // 1000)
