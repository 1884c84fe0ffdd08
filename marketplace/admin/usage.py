"""What was called and refused: for whoever sold it, and for staff. Nobody changes it."""

from typing import ClassVar, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from gateway.domain.chronicle import LATENCY_MS
from gateway.models import RecentCall, UsageMinute
from marketplace.admin.scoping import OwnRowsAdmin

M = TypeVar("M", bound=Model)


class UsageAdmin(OwnRowsAdmin[M]):
    owner_path = "provider"
    sellers_may: ClassVar[frozenset[str]] = frozenset({"view"})
    list_per_page = 60
    search_fields = ["=grant", "route"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


@admin.register(UsageMinute)
class UsageMinuteAdmin(UsageAdmin[UsageMinute]):
    ordering = ["-minute", "route", "grant"]
    list_display = ["minute", "route", "grant", "calls", "shown_refusals", "upstream_failures"]
    list_display += ["bytes_up", "bytes_down", "credits", "messages", "median"]
    fields = ["minute", "route", "grant", "calls", "shown_refusals", "upstream_failures"]
    fields += ["bytes_up", "bytes_down", "credits", "messages", "shown_latencies"]

    @admin.display(description="refused")
    def shown_refusals(self, row: UsageMinute) -> str:
        return ", ".join(f"{reason}: {count:,}" for reason, count in row.refusals.items()) or "-"

    @admin.display(description="half answered within")
    def median(self, row: UsageMinute) -> str:
        half, seen = sum(row.latencies) / 2, 0
        for bound, count in zip(LATENCY_MS, row.latencies, strict=False):
            seen += count
            if seen and seen >= half:
                return f"{bound:,} ms"
        return f"more than {LATENCY_MS[-1]:,} ms" if half else "-"

    @admin.display(description="calls by the time until their answer began")
    def shown_latencies(self, row: UsageMinute) -> str:
        bounds = [*(f"≤ {bound:,} ms" for bound in LATENCY_MS), f"> {LATENCY_MS[-1]:,} ms"]
        counts = zip(bounds, row.latencies, strict=False)
        return ", ".join(f"{bound}: {count:,}" for bound, count in counts if count) or "-"


@admin.register(RecentCall)
class RecentCallAdmin(UsageAdmin[RecentCall]):
    ordering = ["-id"]
    list_display = ["at", "route", "method", "path", "status", "end", "answered_in_ms"]
    list_display += ["bytes_up", "bytes_down", "credits", "messages", "grant"]
    fields = ["at", "route", "method", "path", "status", "end", "answered_in_ms"]
    fields += ["bytes_up", "bytes_down", "credits", "messages", "grant"]
