"""The keys that grants are signed with, and the way to end one at once."""

import time

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import keys
from gateway.admin import VerifyingKeyAdmin
from gateway.models import VerifyingKey


class RevocableKeyAdmin(VerifyingKeyAdmin):
    """The gate's page of a key, with its emergency exit. For superusers."""

    readonly_fields = ("revocation",)

    @admin.display(description="in an emergency")
    def revocation(self, row: VerifyingKey) -> SafeString:
        if row.revoked_at is not None:
            return format_html("{}", "revoked")
        where = reverse("admin:billing_revoke_key", args=[row.pk])
        return format_html('<a href="{}">Revoke this key …</a>', where)

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke)
        return [
            path("<int:pk>/revoke/", revoke, name="billing_revoke_key"),
            *super().get_urls(),
        ]

    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.is_superuser:
            raise PermissionDenied
        key, now_s = get_object_or_404(VerifyingKey, pk=pk), time.time()
        problem = ""
        if request.method == "POST":
            if request.POST.get("kid", "").strip() == key.kid:
                keys.revoke(key.kid, actor=request.user.get_username(), now_s=now_s)
                self.message_user(request, f"Revoked {key.kid}.", messages.WARNING)
                return HttpResponseRedirect(reverse("admin:gateway_verifyingkey_changelist"))
            problem = "That is another kid."
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke a signing key",
            "key": key,
            "running": keys.ended_by(key.kid, now_s=now_s),
            "problem": problem,
        }
        return TemplateResponse(request, "admin/billing/revoke_key.html", context)


admin.site.unregister(VerifyingKey)
admin.site.register(VerifyingKey, RevocableKeyAdmin)
