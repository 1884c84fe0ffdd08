"""Money to read, not to touch: nothing here can be added, changed or deleted by hand.

From a purchase one gets to its transactions, payment, quote, grant and audit entries, and back.
Staff need Django's view permission; a provider, who has none, sees nothing.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing import auditing, reconciling
from billing.domain.audit import Intact
from billing.models import (
    AuditEntry,
    ChainTransaction,
    ChannelAccount,
    EventCursor,
    GrantedToken,
    Payment,
    Purchase,
)
from gateway.models import GrantLedger
from marketplace.admin.generic import ModelAdmin, TabularInline
from marketplace.models import Quote

UNITS = 10_000_000
CHECKED_FOR_A_PAGE_MAX = 20_000  # Half a second.


class ReadOnly:
    def has_add_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False


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
        (None, {"fields": ("id", "state", "moved", "created", "trail")}),
        ("Sale", {"fields": ("route", "price", "fee", "payee", "treasury", "digest", "quote")}),
        ("Buyer", {"fields": ("buyer", "access_key", "client_network")}),
        ("Authorization", {"fields": ("authorization_kind", "authorized", "valid_until")}),
        ("Payment", {"fields": ("network", "contract", "paid_tx_hash", "paid_ledger", "paid")}),
        ("Problem", {"fields": ("problem", "problem_detail")}),
    )
    readonly_fields = ("moved", "created", "authorized", "paid", "price", "trail")

    @admin.display(description="purchase")
    def short(self, row: Purchase) -> str:
        return f"{row.pk[:12]}…"

    @admin.display(description="price", ordering="amount")
    def price(self, row: Purchase) -> str:
        return f"{row.amount / UNITS:.7f}".rstrip("0").rstrip(".") + f" {row.asset_code}"

    @admin.display(description="created", ordering="created_at_s")
    def created(self, row: Purchase) -> str:
        return shown(row.created_at_s)

    @admin.display(description="last move", ordering="moved_at_s")
    def moved(self, row: Purchase) -> str:
        return shown(row.moved_at_s)

    @admin.display(description="authorized")
    def authorized(self, row: Purchase) -> str:
        return shown(row.authorized_at_s)

    @admin.display(description="paid (ledger close)")
    def paid(self, row: Purchase) -> str:
        return shown(row.paid_at_s)

    @admin.display(description="follow")
    def trail(self, row: Purchase) -> SafeString:
        links = [
            _link("signed quote", Quote, {"digest": row.digest}),
            _link("payment", Payment, {"purchase_ref": row.pk}),
            _link("granted token", GrantedToken, {"purchase_id": row.pk}),
            _link("grant ledger", GrantLedger, {"grant_id": row.pk}),
            _link("audit entries", AuditEntry, {"subject": row.pk}),
        ]
        return format_html_join(" · ", "{}", ((link,) for link in links))


@admin.register(ChainTransaction)
class ChainTransactionAdmin(ReadOnly, ModelAdmin[ChainTransaction]):
    list_display = ("tx_hash", "state", "purchase", "channel", "sequence", "sends", "ledger")
    list_filter = ("state",)
    search_fields = ("=tx_hash", "=purchase__id")
    list_select_related = ("purchase", "channel")


@admin.register(Payment)
class PaymentAdmin(ReadOnly, ModelAdmin[Payment]):
    list_display = ("tx_hash", "standing", "differs_in", "purchase", "amount", "ledger", "closed")
    list_filter = ("standing", "network")
    search_fields = ("=tx_hash", "=purchase_ref", "=buyer", "=digest")
    readonly_fields = ("closed", "purchase")

    @admin.display(description="closed", ordering="closed_at_s")
    def closed(self, row: Payment) -> str:
        return shown(row.closed_at_s)

    @admin.display(description="purchase")
    def purchase(self, row: Payment) -> SafeString:
        return _link(f"{row.purchase_ref[:12]}…", Purchase, {"id": row.purchase_ref})


@admin.register(GrantedToken)
class GrantedTokenAdmin(ReadOnly, ModelAdmin[GrantedToken]):
    """Without the token itself: what it says is in the purchase's quote."""

    list_display = ("purchase", "kid", "expires", "created")
    search_fields = ("=purchase__id", "=kid")
    fields = ("purchase", "kid", "expires", "created")
    readonly_fields = ("expires", "created")
    list_select_related = ("purchase",)

    @admin.display(description="expires", ordering="expires_at_s")
    def expires(self, row: GrantedToken) -> str:
        return shown(row.expires_at_s)

    @admin.display(description="created", ordering="created_at_s")
    def created(self, row: GrantedToken) -> str:
        return shown(row.created_at_s)


@admin.register(ChannelAccount)
class ChannelAccountAdmin(ReadOnly, ModelAdmin[ChannelAccount]):
    list_display = ("address", "network", "index", "usable", "problem")
    list_filter = ("network", "usable")


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnly, ModelAdmin[EventCursor]):
    """How far evidence is followed, and what does not fit together."""

    list_display = ("network", "contract", "followed_ledger", "looked")
    readonly_fields = ("looked", "discrepancies")

    @admin.display(description="looked", ordering="looked_at_ms")
    def looked(self, row: EventCursor) -> str:
        return shown(row.looked_at_ms // 1000)

    @admin.display(description="discrepancies")
    def discrepancies(self, _row: EventCursor) -> SafeString:
        found = reconciling.reconcile(now_s=time.time())
        if not found:
            return format_html("{}", "none")
        return format_html_join(
            "",
            "<div>{}: {} {}</div>",
            ((d.finding, _purchase(d.purchase_id), d.detail) for d in found),
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, ModelAdmin[AuditEntry]):
    list_display = ("number", "at", "action", "actor", "about")
    list_filter = ("action",)
    search_fields = ("=subject", "=actor", "=hash")
    readonly_fields = ("at", "about")

    @admin.display(description="at", ordering="at_ms")
    def at(self, row: AuditEntry) -> str:
        return shown(row.at_ms // 1000)

    @admin.display(description="about", ordering="subject")
    def about(self, row: AuditEntry) -> SafeString:
        return _purchase(row.subject)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "title": f"Audit log. {_standing()}"}
        return super().changelist_view(request, context)


def _standing() -> str:
    """What a check says, as long as the log is short enough to be checked for a page."""
    if AuditEntry.objects.count() > CHECKED_FOR_A_PAGE_MAX:
        return "Long: check it with manage.py verify_audit."
    verdict = auditing.verify()
    if isinstance(verdict, Intact):
        return f"The chain is intact: {verdict.entries} entries."
    return f"The chain is BROKEN at entry {verdict.number}: {verdict.reason}."


def shown(at_s: int | None) -> str:
    if not at_s:
        return "never"
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _purchase(purchase_id: str) -> SafeString:
    return _link(purchase_id[:16], Purchase, {"id": purchase_id})


def _link(words: str, model: type[Model], lookup: Mapping[str, str]) -> SafeString:
    """To the one row, or to the list of rows, or plain words where there is none."""
    rows: QuerySet[Model] = model._default_manager.filter(**lookup)  # noqa: SLF001
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # noqa: SLF001
    found = list(rows.values_list("pk", flat=True)[:2])
    if not found or model not in admin.site._registry:  # noqa: SLF001 - Django offers no other way
        return format_html("{}", words)
    if len(found) == 1:
        return format_html('<a href="{}">{}</a>', reverse(f"{name}_change", args=found), words)
    query = "&".join(f"{field}={value}" for field, value in lookup.items())
    return format_html('<a href="{}?{}">{}</a>', reverse(f"{name}_changelist"), query, words)
