"""Money to read, not to touch, and how pages of rows lead to each other."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models import Purchase

M = TypeVar("M", bound=Model)

UNITS = 10_000_000


class ReadOnly:
    def has_add_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False


def price(amount: int, code: str) -> str:
    return f"{amount // UNITS}.{amount % UNITS:07d}".rstrip("0").rstrip(".") + f" {code}"


def purchase_link(purchase_id: str, *, exists: bool = True) -> SafeString:
    """Plain words where there is none; nothing is looked up."""
    words = f"{purchase_id[:16]}…"
    if not exists:
        return format_html("{}", words)
    address = reverse("admin:billing_purchase_change", args=[purchase_id])
    return format_html('<a href="{}">{}</a>', address, words)


def with_purchase(rows: "QuerySet[M]", named_by: str) -> "QuerySet[M]":
    """Each row says whether there `is_purchase` with the id that it names."""
    named = Purchase.objects.filter(pk=OuterRef(named_by))
    return rows.annotate(is_purchase=Exists(named))  # type: ignore[return-value] # is M still


def purchase_of(row: Model, purchase_id: str) -> SafeString:
    """For rows `with_purchase`."""
    return purchase_link(purchase_id, exists=bool(getattr(row, "is_purchase")))  # noqa: B009


def link(words: str, model: type[Model], lookup: Mapping[str, str]) -> SafeString:
    """To the one row, or to the list of rows, or plain words where there is none."""
    rows: QuerySet[Model] = model._default_manager.filter(**lookup)  # noqa: SLF001
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # noqa: SLF001
    found = list(rows.values_list("pk", flat=True)[:2])
    if not found or model not in admin.site._registry:  # noqa: SLF001 - Django offers no other way
        return format_html("{}", words)
    if len(found) == 1:
        return format_html('<a href="{}">{}</a>', reverse(f"{name}_change", args=found), words)
    return format_html(
        '<a href="{}?{}">{}</a>', reverse(f"{name}_changelist"), urlencode(lookup), words
    )
