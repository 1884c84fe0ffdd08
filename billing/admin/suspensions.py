"""Suspending a service or a provider, and lifting it again. Staff only; rows stay."""

import time

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from billing import halting
from marketplace import suspending
from marketplace.admin import desk
from marketplace.admin.generic import ModelAdmin
from marketplace.admin.generic import ModelForm as Form
from marketplace.admin.scoping import seller
from marketplace.models import Suspension


class SuspensionForm(Form[Suspension]):
    class Meta:
        model = Suspension
        fields = ["service", "provider", "reason", "ends_grants"]

    def clean(self) -> dict[str, object] | None:
        cleaned = super().clean() or {}
        service, provider = cleaned.get("service"), cleaned.get("provider")
        if bool(service) == bool(provider):
            raise forms.ValidationError(_("Choose a service, or a provider."))
        of = {"service": service} if service else {"provider": provider}
        if Suspension.objects.filter(**of, lifted_at=None).exists():
            raise forms.ValidationError(_("This is suspended already."))
        return cleaned


@admin.register(Suspension)
class SuspensionAdmin(ModelAdmin[Suspension]):
    form = SuspensionForm
    list_display = ["whom", "reason", "suspended_by", "suspended_at", "ends_grants", "lifted_at"]
    list_filter = [("lifted_at", admin.EmptyFieldListFilter), "ends_grants"]
    list_select_related = ["service", "provider"]
    search_fields = ["service__slug", "provider__slug", "reason"]
    autocomplete_fields = ["service", "provider"]
    actions = None
    readonly_fields = ["suspended_by", "suspended_at", "grants_ended_at", "lifted_by", "lifted_at"]

    def get_fields(self, _request: HttpRequest, obj: Suspension | None = None) -> tuple[str, ...]:
        chosen = ("service", "provider", "reason", "ends_grants")
        return chosen if obj is None else (*chosen, *self.readonly_fields, "act")

    def get_readonly_fields(
        self, _request: HttpRequest, obj: Suspension | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(_request, obj)

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: Suspension,
        form: "forms.ModelForm[Suspension]",  # noqa: ARG002 - Django's signature
        change: bool,  # noqa: ARG002
    ) -> None:
        whom = obj.service or obj.provider
        assert whom is not None
        actor = request.user.get_username()
        made = halting.suspend(
            whom, reason=obj.reason, ends_grants=obj.ends_grants, actor=actor, now_s=time.time()
        )
        obj.pk = made.pk
        obj.refresh_from_db()

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except suspending.AlreadySuspended:
            messages.error(request, _("This is suspended already."))
            return HttpResponseRedirect(reverse("admin:marketplace_suspension_changelist"))

    def get_urls(self) -> list[URLPattern]:
        lift = self.admin_site.admin_view(self.lift)
        return [path("<int:pk>/lift/", lift, name="suspension_lift"), *super().get_urls()]

    def lift(self, request: HttpRequest, pk: int) -> HttpResponse:
        if seller(request) is not None or not self.has_add_permission(request):
            raise PermissionDenied
        suspension = get_object_or_404(Suspension, pk=pk)
        if request.method != "POST":
            return desk.page(
                request,
                "admin/billing/confirm.html",
                title=_("Lift the suspension"),
                words=_("%(what)s may be sold again at once.") % {"what": suspension},
                act=_("Lift the suspension"),
            )
        if halting.lift(suspension, actor=request.user.get_username(), now_s=time.time()):
            messages.success(request, _("%(what)s may be sold again.") % {"what": suspension})
        else:
            messages.warning(request, _("It was lifted already."))
        return HttpResponseRedirect(reverse("admin:marketplace_suspension_change", args=[pk]))

    @admin.display(description="suspended")
    def whom(self, row: Suspension) -> str:
        return str(row)

    @admin.display(description="to do")
    def act(self, row: Suspension) -> SafeString:
        if row.lifted_at is not None:
            return format_html("{}", "nothing")
        where = reverse("admin:suspension_lift", args=[row.pk])
        return format_html('<a href="{}">{} …</a>', where, _("Lift the suspension"))
