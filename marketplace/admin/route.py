"""Routes of a service."""

from collections.abc import Sequence

from django.contrib import admin, messages
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from marketplace import holding
from marketplace.admin.generic import FieldGroups, FieldOptions, Fieldsets
from marketplace.admin.guard_form import GUARDS
from marketplace.admin.route_form import RouteForm
from marketplace.admin.scoping import OwnRowsInline, PublishedAdmin
from marketplace.domain import plans
from marketplace.models import Route, RouteQuote


class PriceInline(OwnRowsInline[RouteQuote, Route]):
    """What this route is or was sold for; changes are made on a price's own page."""

    model = RouteQuote
    verbose_name_plural = "prices"
    fields = ["name", "version", "state", "price", "lasts"]
    readonly_fields = ["name", "version", "state", "price", "lasts"]
    can_delete = False
    show_change_link = True
    ordering = ["state", "amount", "-version"]

    def has_add_permission(  # type: ignore[override]
        self, request: HttpRequest, obj: Route | None
    ) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Route | None = None) -> bool:
        return False

    @admin.display(description="price")
    def price(self, price: RouteQuote) -> str:
        return f"{plans.show_amount(price.amount)} {price.asset}"

    @admin.display(description="lasts")
    def lasts(self, price: RouteQuote) -> str:
        return plans.show_duration(price.access_seconds)


@admin.register(Route)
class RouteAdmin(PublishedAdmin[Route]):
    owner_path = "service__provider"
    form = RouteForm
    list_display = ["name", "service", "slug", "path", "shown_methods", "on_sale"]
    sellers_filter = [("service", RelatedOnlyFieldListFilter)]
    staff_ordering = ["-pk"]
    list_select_related = ["service"]
    search_fields = ["name", "slug", "path", "service__name"]
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ["add_price"]
    inlines = [PriceInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        rows = super().get_queryset(request).select_related("service__provider")
        return rows.filter(removed_at=None).prefetch_related("quotes")

    def get_fields(self, request: HttpRequest, obj: Route | None = None) -> FieldGroups:
        fields = ("service", "name", "slug", "path", "methods", "description", "message_bytes_max")
        return (*fields, "add_price") if obj else fields

    def get_fieldsets(self, request: HttpRequest, obj: Route | None = None) -> Fieldsets:
        own: FieldOptions = {
            "fields": [("connect_ms", "first_byte_ms", "idle_ms")],
            "classes": ["collapse"],
            "description": "Where this route differs from its service. Empty: as the service.",
        }
        return [
            (None, {"fields": self.get_fields(request, obj)}),
            ("How long the gate waits for your API (ms)", own),
            ("Guards", GUARDS),
        ]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Route | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: Route, form: Form, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if isinstance(form, RouteForm) and form.binds_later:
            messages.warning(request, form.binds_later)

    def get_deleted_objects(
        self, objs: Sequence[Route] | QuerySet[Route], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Prices go with their route, or stay as a record: they do not stand in its way."""
        now_s = timezone.now().timestamp()
        holds = {route: holding.hold([route], now_s) for route in objs}
        held = [f"{route}: {hold.words()}" for route, hold in holds.items() if hold]
        return [str(route) for route in objs], {"routes": len(objs)}, set(), held

    def delete_model(self, request: HttpRequest, obj: Route) -> None:
        holding.remove(obj, timezone.now())

    @admin.display(description="methods")
    def shown_methods(self, route: Route) -> str:
        return " ".join(route.methods) or "any"

    @admin.display(description="on sale")
    def on_sale(self, route: Route) -> str:
        states = [price.state for price in route.quotes.all()]
        count = states.count(RouteQuote.State.PUBLISHED)
        if count and not route.sells:
            return f"no: the service is {route.service.state}"
        return plans.counted(count, "price")

    @admin.display(description="sell it")
    def add_price(self, route: Route) -> str:
        address = reverse("admin:marketplace_routequote_add")
        return format_html(
            '<a class="button" href="{}?route={}">Add a price</a>', address, route.pk
        )
