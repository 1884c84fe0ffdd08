"""The audit log, and whether its chain holds."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from billing import auditing
from billing.admin.exports import Exported
from billing.admin.reading import ReadOnly, purchase_link, shown
from billing.domain.audit import Intact
from billing.models import AuditEntry

CHECKED_FOR_A_PAGE_MAX = 20_000  # Half a second.


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, Exported[AuditEntry]):
    book = "audit"
    list_display = ("number", "at", "action", "actor", "about")
    list_filter = ("action",)
    search_fields = ("=subject", "=actor", "=hash")
    readonly_fields = ("at", "about")

    @admin.display(description="at", ordering="at_ms")
    def at(self, row: AuditEntry) -> str:
        return shown(row.at_ms // 1000)

    @admin.display(description="about", ordering="subject")
    def about(self, row: AuditEntry) -> SafeString:
        return purchase_link(row.subject)

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
