"""From a purchase to its transactions, payment, quote, price, grant, use and audit entries."""

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.admin import reading
from billing.admin.exports import Exported
from billing.admin.reading import ReadOnly
from billing.admin.trails import trail
from billing.models import ChainTransaction, GrantedToken, Purchase
from gateway.theme import moment
from marketplace.admin.generic import ModelAdmin, TabularInline


class TransactionInline(ReadOnly, TabularInline[ChainTransaction, Purchase]):
    model = ChainTransaction
    extra = 0
    fields = ("tx_hash", "state", "channel", "sequence", "sends", "last_code", "ledger")
    show_change_link = True


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly, ModelAdmin[Purchase]):
    list_display = ("short", "state", "route", "price", "buyer", "created", "moved")
    list_filter = ("state", "asset_code", "network")
    search_fields = ("=id", "=buyer", "=digest", "=paid_tx_hash", "route")
    inlines = [TransactionInline]
    fieldsets = (
        (None, {"fields": ("id", "state", "moved", "created", "sale")}),
        ("Sale", {"fields": ("route", "price", "fee", "payee", "treasury", "digest", "quote")}),
        ("Buyer", {"fields": ("buyer", "access_key", "client_network")}),
        ("Authorization", {"fields": ("authorization_kind", "authorized", "valid_until")}),
        ("Payment", {"fields": ("network", "contract", "paid_tx_hash", "paid_ledger", "paid")}),
        ("Problem", {"fields": ("problem", "problem_detail")}),
    )
    readonly_fields = ("moved", "created", "authorized", "paid", "price", "sale")

    @admin.display(description="purchase")
    def short(self, row: Purchase) -> str:
        return f"{row.pk[:12]}…"

    @admin.display(description="price", ordering="amount")
    def price(self, row: Purchase) -> str:
        return reading.price(row.amount, row.asset_code)

    @admin.display(description="created", ordering="created_at_s")
    def created(self, row: Purchase) -> str:
        return moment(row.created_at_s)

    @admin.display(description="last move", ordering="moved_at_s")
    def moved(self, row: Purchase) -> str:
        return moment(row.moved_at_s)

    @admin.display(description="authorized")
    def authorized(self, row: Purchase) -> str:
        return moment(row.authorized_at_s)

    @admin.display(description="paid (ledger close)")
    def paid(self, row: Purchase) -> str:
        return moment(row.paid_at_s)

    @admin.display(description="follow")
    def sale(self, row: Purchase) -> SafeString:
        return trail(row, row.pk, row.digest)


@admin.register(ChainTransaction)
class ChainTransactionAdmin(ReadOnly, ModelAdmin[ChainTransaction]):
    list_display = ("tx_hash", "state", "purchase", "channel", "sequence", "sends", "ledger")
    list_filter = ("state",)
    search_fields = ("=tx_hash", "=purchase__id")
    list_select_related = ("purchase", "channel")
    readonly_fields = ("sale",)

    @admin.display(description="follow")
    def sale(self, row: ChainTransaction) -> SafeString:
        return trail(row, row.purchase_id, row.purchase.digest)


@admin.register(GrantedToken)
class GrantedTokenAdmin(ReadOnly, Exported[GrantedToken]):
    """Without the token itself: what it says is in the purchase's quote."""

    book = "grants"
    list_display = ("purchase", "kid", "expires", "created")
    search_fields = ("=purchase__id", "=kid")
    fields = ("purchase", "kid", "expires", "created", "sale")
    readonly_fields = ("expires", "created", "sale")
    list_select_related = ("purchase",)

    @admin.display(description="expires", ordering="expires_at_s")
    def expires(self, row: GrantedToken) -> str:
        return moment(row.expires_at_s)

    @admin.display(description="created", ordering="created_at_s")
    def created(self, row: GrantedToken) -> str:
        return moment(row.created_at_s)

    @admin.display(description="follow")
    def sale(self, row: GrantedToken) -> SafeString:
        return trail(row, row.purchase_id, row.purchase.digest)
