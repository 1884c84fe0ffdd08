"""Providers, categories, and what was signed."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace import payouts
from marketplace.admin.generic import FieldGroups, ModelAdmin, ModelForm
from marketplace.admin.scoping import OwnRowsAdmin, seller
from marketplace.models import Category, Provider, Quote


class ProviderForm(ModelForm[Provider]):
    class Meta:
        model = Provider
        fields = ["owner", "name", "slug", "payout_address", "about", "website", "support"]

    def clean_payout_address(self) -> str:  # Of a new provider: later the field is not there.
        return payouts.account(str(self.cleaned_data["payout_address"]))


@admin.register(Provider)
class ProviderAdmin(OwnRowsAdmin[Provider]):
    owner_path = "pk"
    sellers_may = frozenset({"view", "change"})
    form = ProviderForm
    list_display = ["name", "slug", "payout_address"]
    search_fields = ["name", "slug"]

    def get_fields(self, request: HttpRequest, obj: Provider | None = None) -> FieldGroups:
        if seller(request) is not None:
            return ("name", "paid_at", "about", "website", "support")
        return ("owner", "name", "slug", "payout_address", "about", "website", "support")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> tuple[str, ...]:
        """Another address waits a day, and takes the second factor: marketplace/paying_out.py."""
        return () if obj is None else ("payout_address", "paid_at")

    @admin.display(description=gettext_lazy("payout address"))
    def paid_at(self, provider: Provider) -> str:
        link = reverse("marketplace:payout")
        return format_html('{} <a href="{}">{}</a>', provider.payout_address, link, _("Change it"))


@admin.register(Category)
class CategoryAdmin(ModelAdmin[Category]):
    list_display = ["name", "slug"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Quote)
class QuoteAdmin(OwnRowsAdmin[Quote]):
    """Read-only: this is what buyers hold."""

    owner_path = "route_quote__route__service__provider"
    sellers_may = frozenset()
    list_display = ["digest", "route_quote", "payee", "expires_at"]
    list_select_related = ["route_quote__route__service"]
    search_fields = ["digest"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Quote | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Quote | None = None) -> bool:
        return False
