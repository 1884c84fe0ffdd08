"""Read-only: the ledger is written by the gate, snapshots by publishing. One act: crediting."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from gateway.ledgers.crediting import NotLost, credit_lost
from gateway.models import (
    Booking,
    GatewayNode,
    GrantLedger,
    Lease,
    LimiterLedger,
    Revocation,
    Snapshot,
    VerifyingKey,
)
from gateway.theme import ModelAdmin, TabularInline, moment

FieldNames = tuple[str, ...]


class ReadOnlyAdmin(ModelAdmin[Model]):
    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline[Any, Any]):
    extra = 0
    can_delete = False

    def has_add_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False


class LimiterInline(ReadOnlyInline):
    model = LimiterLedger
    fields = ("index", "kind", "window", "limit", "used", "due")


class BookingInline(ReadOnlyInline):
    model = Booking
    fields = readonly_fields = ("source", "key", "credits", "refused", "booked")

    @admin.display(description="booked")
    def booked(self, row: Booking) -> str:
        return moment(row.booked_at)


class LeaseInline(ReadOnlyInline):
    model = Lease
    fields = ("limiter", "slot", "amount", "spent")


@admin.register(GrantLedger)
class GrantLedgerAdmin(ReadOnlyAdmin):
    list_display = ("grant_id", "route", "begins", "ends", "first_used", "clamped")
    list_filter = ("bookings__refused",)
    search_fields = ("grant_id", "route")
    readonly_fields: ClassVar[FieldNames] = ("begins", "ends", "first_used", "last_ended")
    inlines = [LimiterInline, BookingInline]

    def get_fields(self, _request: HttpRequest, _row: Model | None = None) -> FieldNames:
        terms = ("grant_id", "route", "limits", "begins", "ends", "starts_first_use")
        use = ("access_seconds", "first_used", "last_end_reason", "last_ended", "clamped")
        return (*terms, *use, "created_at")

    @admin.display(description="begins", ordering="not_before")
    def begins(self, row: GrantLedger) -> str:
        return moment(row.not_before)

    @admin.display(description="ends", ordering="expires_at")
    def ends(self, row: GrantLedger) -> str:
        return moment(row.expires_at)

    @admin.display(description="first used", ordering="first_used_at")
    def first_used(self, row: GrantLedger) -> str:
        return moment(row.first_used_at)

    @admin.display(description="last call that was ended")
    def last_ended(self, row: GrantLedger) -> str:
        return moment(row.last_end_at)


@admin.register(GatewayNode)
class GatewayNodeAdmin(ReadOnlyAdmin):
    """A node whose heartbeat is old was lost with its machine; its leases count as used."""

    list_display = ("id", "host", "started", "heard")
    fields = readonly_fields = ("host", "started", "heard")
    inlines = [LeaseInline]
    actions = ["credit"]

    def has_credit_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_superuser

    @admin.display(description="started", ordering="started_at")
    def started(self, node: GatewayNode) -> str:
        return moment(node.started_at)

    @admin.display(description="heard last", ordering="heartbeat_at")
    def heard(self, node: GatewayNode) -> str:
        return moment(node.heartbeat_at)

    @admin.action(description="Credit what lost machines had leased", permissions=["credit"])
    def credit(self, request: HttpRequest, nodes: QuerySet[Model]) -> None:
        for node in nodes:
            try:
                units = credit_lost(node.pk)
            except NotLost:
                self.message_user(request, f"{node} was heard lately.", messages.ERROR)
            else:
                self.log_change(request, node, f"Credited {units} units that it had leased.")
                self.message_user(request, f"{node}: {units} units credited.")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    """Which services changed when. Their parts are not shown: they hold secrets."""

    list_display = ("version", "created_at", "changed")
    fields = ("version", "created_at", "changed")

    @admin.display(description="what changed")
    def changed(self, snapshot: Snapshot) -> str:
        named = snapshot.body.get("changed", ["everything"])
        more = snapshot.body.get("count", 0) - len(named)
        return ", ".join([*named, *([f"{more} more"] if more > 0 else [])]) or "issuer or keys"


@admin.register(VerifyingKey)
class VerifyingKeyAdmin(ReadOnlyAdmin):
    list_display = ("kid", "created_at", "revoked_at")


@admin.register(Revocation)
class RevocationAdmin(ReadOnlyAdmin):
    list_display = ("grant", "token", "created_at")
    search_fields = ("grant", "token")
