"""Reviews, which providers answer and staff hide; and the notes of a changelog."""

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from marketplace.admin.generic import FieldGroups, ModelForm, TabularInline
from marketplace.admin.scoping import OwnRowsAdmin, seller
from marketplace.models import Review, ReviewReport, ServiceNote

INCIDENT = ServiceNote.Kind.INCIDENT


class ReportInline(TabularInline[ReviewReport, Review]):
    """For staff alone: who reports is not the provider's to know."""

    model = ReviewReport
    extra = 0
    can_delete = False
    readonly_fields = ["reason", "client_network", "created_at"]

    def has_add_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        return seller(request) is None and super().has_view_permission(request, obj)


@admin.register(Review)
class ReviewAdmin(OwnRowsAdmin[Review]):
    owner_path = "service__provider"
    sellers_may = frozenset({"view", "change"})
    list_display = ["service", "stars", "author", "text", "reply", "reported", "hidden_because"]
    list_select_related = ["service"]
    list_filter = ["stars", ("hidden_at", admin.EmptyFieldListFilter)]
    inlines = [ReportInline]
    readonly_fields = ["service", "stars", "author", "text", "created_at"]

    def get_fields(self, request: HttpRequest, obj: Review | None = None) -> FieldGroups:
        own = ["service", "stars", "author", "text", "created_at"]
        return [*own, "reply"] if seller(request) is not None else [*own, "reply", "hidden_because"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        rows = super().get_queryset(request).select_related("service")
        return rows.annotate(report_count=Count("reports"))

    @admin.display(description="reports", ordering="report_count")
    def reported(self, review: Review) -> int:
        return int(getattr(review, "report_count", 0))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Review, form: ModelForm[Review], change: bool
    ) -> None:
        """A reason hides it, and none shows it again."""
        if "reply" in form.changed_data:
            obj.replied_at = timezone.now() if obj.reply else None
        if "hidden_because" in form.changed_data:
            obj.hidden_at = timezone.now() if obj.hidden_because else None
        super().save_model(request, obj, form, change)


class NoteForm(ModelForm[ServiceNote]):
    over = forms.BooleanField(label="The incident is over", required=False)

    class Meta:
        model = ServiceNote
        fields = ["service", "kind", "title", "text"]

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> object:
        if field_name == "over":
            return self.instance.over_at is not None
        return super().get_initial_for_field(field, field_name)


@admin.register(ServiceNote)
class ServiceNoteAdmin(OwnRowsAdmin[ServiceNote]):
    owner_path = "service__provider"
    form = NoteForm
    list_display = ["service", "title", "kind", "created_at", "over_at"]
    list_select_related = ["service"]
    list_filter = ["kind"]
    search_fields = ["title"]

    def get_fields(self, request: HttpRequest, obj: ServiceNote | None = None) -> FieldGroups:
        is_incident = obj is not None and obj.kind == INCIDENT
        return ["service", "kind", "title", "text", *(["over"] if is_incident else [])]

    def save_model(
        self, request: HttpRequest, obj: ServiceNote, form: ModelForm[ServiceNote], change: bool
    ) -> None:
        if obj.kind != INCIDENT or not form.cleaned_data.get("over"):
            obj.over_at = None
        elif obj.over_at is None:
            obj.over_at = timezone.now()
        super().save_model(request, obj, form, change)
