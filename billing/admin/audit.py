"""The audit log, and whether its chain holds."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from billing import auditing
from billing.admin.exports import Exported
from billing.admin.reading import ReadOnly, purchase_of, with_purchase
from billing.domain.audit import Broken, Intact
from billing.models import AuditEntry
from gateway.theme import moment

CHECKED_FOR_A_PAGE_MAX = 2_000  # A twentieth of a second.
CHECKED_ON_REQUEST_MAX = 400_000
TOO_LONG = "Too long to check on a page: run manage.py verify_audit."


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, Exported[AuditEntry]):
    book = "audit"
    change_list_template = "admin/billing/audit.html"
    list_display = ("number", "at", "action", "actor", "about")
    list_filter = ("action",)
    search_fields = ("=subject", "=actor", "=hash")
    readonly_fields = ("at", "about")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return with_purchase(super().get_queryset(request), "subject")

    @admin.display(description="at", ordering="at_ms")
    def at(self, row: AuditEntry) -> str:
        return moment(row.at_ms // 1000)

    @admin.display(description="about", ordering="subject")
    def about(self, row: AuditEntry) -> SafeString:
        return purchase_of(row, row.subject)

    def get_urls(self) -> list[URLPattern]:
        verify = self.admin_site.admin_view(require_POST(self.verify))
        return [path("verify/", verify, name="audit_verify"), *super().get_urls()]

    def verify(self, request: HttpRequest) -> HttpResponse:
        """Every entry's hash, from the first on, as far as one request may take."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if AuditEntry.objects.count() > CHECKED_ON_REQUEST_MAX:
            messages.warning(request, TOO_LONG)
        else:
            verdict = auditing.verify()
            level = messages.SUCCESS if isinstance(verdict, Intact) else messages.ERROR
            messages.add_message(request, level, _said(verdict))
        return HttpResponseRedirect(reverse("admin:billing_auditentry_changelist"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "title": f"Audit log. {_standing()}"}
        return super().changelist_view(request, context)


def _standing() -> str:
    """What a check says, as long as the log is short enough to be checked for a page."""
    long_ = AuditEntry.objects.count()
    if long_ > CHECKED_FOR_A_PAGE_MAX:
        return TOO_LONG if long_ > CHECKED_ON_REQUEST_MAX else "Long: press Verify to check it."
    return _said(auditing.verify())


def _said(verdict: Intact | Broken) -> str:
    if isinstance(verdict, Intact):
        return f"The chain is intact: {verdict.entries} entries."
    return f"The chain is BROKEN at entry {verdict.number}: {verdict.reason}."
