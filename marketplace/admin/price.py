"""Prices. A published one is not changed here but followed by a new version."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.db import transaction
from django.db.models import QuerySet
from django.forms import Form, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from gateway.domain.limits import parse_limits
from marketplace import pricing
from marketplace.admin import limit_fields, meter_fields
from marketplace.admin.generic import Fieldsets
from marketplace.admin.price_form import PriceForm
from marketplace.admin.scoping import OwnRowsAdmin
from marketplace.domain import plans
from marketplace.models import RouteQuote

State = RouteQuote.State


@admin.register(RouteQuote)
class PriceAdmin(OwnRowsAdmin[RouteQuote]):
    owner_path = "route__service__provider"
    form = PriceForm
    list_display = ["name", "route", "version", "state", "shown_price", "lasts", "shown_limits"]
    list_filter = ["state", "asset"]
    sellers_filter = [("route__service", RelatedOnlyFieldListFilter)]
    staff_ordering = ["-pk"]
    list_select_related = ["route__service"]
    search_fields = ["name", "route__name", "route__service__name"]
    fieldsets: ClassVar[Fieldsets] = [  # Laid out by the template.
        (None, {"fields": ["route", "name", "price", "asset", "access_count", "access_unit"]}),
        (
            "Limits",
            {
                "fields": [
                    *limit_fields.FIELDS,
                    *meter_fields.FIELDS,
                    "starts",
                    "charge",
                    "adjustable",
                ]
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RouteQuote]:
        return super().get_queryset(request).select_related("route__service__provider")

    def has_change_permission(self, request: HttpRequest, obj: RouteQuote | None = None) -> bool:
        retired = obj is not None and obj.state == State.RETIRED
        return not retired and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: RouteQuote | None = None) -> bool:
        sold = obj is not None and obj.state != State.DRAFT
        return not sold and super().has_delete_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: RouteQuote | None = None) -> Fieldsets:
        if obj is not None and obj.state == State.RETIRED:
            shown = ["route", "name", "version", "shown_price", "lasts", "shown_limits"]
            return [(None, {"fields": [*shown, "starts", "charge", "published_at", "retired_at"]})]
        return self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: RouteQuote | None = None) -> list[str]:
        return ["version", "shown_price", "lasts", "shown_limits", "published_at", "retired_at"]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" and "_retire" in request.POST:
            return self._retire(request, object_id)
        if request.method == "POST" and "_again" in request.POST:
            return self._sell_again(request, object_id)
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: RouteQuote | None = None,
    ) -> HttpResponse:
        published = obj is not None and obj.state == State.PUBLISHED
        context["published"] = published
        context["sells"] = obj is not None and obj.route.sells
        context["limit_lines"] = limit_fields.lines(context["adminform"].form)
        context["unit_lines"] = meter_fields.lines(context["adminform"].form)
        context["next_version"] = (
            pricing.next_version(obj.route, obj.name) if obj is not None and published else 1
        )
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_form(
        self, request: HttpRequest, form: "ModelForm[RouteQuote]", change: bool
    ) -> RouteQuote:
        price: RouteQuote = super().save_form(request, form, change)
        if change and price.state == State.PUBLISHED:
            return pricing.copy(price)
        return price

    def save_model(self, request: HttpRequest, obj: RouteQuote, form: Form, change: bool) -> None:
        with transaction.atomic():
            pricing.save_draft(obj)
            if "_publish" in request.POST:
                pricing.publish(obj, timezone.now())

    def response_add(
        self, request: HttpRequest, obj: RouteQuote, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._saved(request, obj)

    def response_change(self, request: HttpRequest, obj: RouteQuote) -> HttpResponse:
        return self._saved(request, obj)

    def _saved(self, request: HttpRequest, price: RouteQuote) -> HttpResponse:
        if price.state == State.PUBLISHED:
            later = "" if price.route.sells else f" once {price.route.service} is published"
            said = f"{price} is on sale{later}. Grants that were bought before stay as they are."
        else:
            said = f"{price} is saved as a draft: nobody can buy it yet."
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:marketplace_routequote_change", args=[price.pk]))

    def _retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        price = self.get_object(request, object_id)
        if price is None or not self.has_change_permission(request, price):
            raise Http404
        if pricing.retire(price, timezone.now()):
            self.log_change(request, price, "Retired.")
            self.message_user(request, f"{price} is no longer sold.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:marketplace_routequote_changelist"))

    def _sell_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Back to an earlier version: its terms as the newest one."""
        price = self.get_object(request, object_id)
        allowed = price is not None and self.has_view_permission(request, price)
        if price is None or not allowed or not self.has_add_permission(request):
            raise Http404
        try:
            newest = pricing.sell_again(price, timezone.now())
        except pricing.NotSold as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        self.log_addition(request, newest, f"Sells the terms of version {price.version} again.")
        return self._saved(request, newest)

    @admin.display(description="price", ordering="amount")
    def shown_price(self, price: RouteQuote) -> str:
        return f"{plans.show_amount(price.amount)} {price.asset}" if price.amount else "Free"

    @admin.display(description="lasts", ordering="access_seconds")
    def lasts(self, price: RouteQuote) -> str:
        return plans.show_duration(price.access_seconds)

    @admin.display(description="limits")
    def shown_limits(self, price: RouteQuote) -> str:
        return ", ".join(limit.words() for limit in parse_limits(price.limits)) or "none"
