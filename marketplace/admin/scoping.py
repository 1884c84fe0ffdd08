"""Who sees which rows. A provider sees its own and nothing else; staff see by Django's permissions.

Every door goes through `get_queryset` and the permissions of the model's own admin: list, form,
history, deletion, autocomplete, and the choices of a foreign key, which are asked for at the admin
of the model that it points to.
"""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from django.contrib.admin import RelatedOnlyFieldListFilter
from django.contrib.admin.widgets import AutocompleteSelect, RelatedFieldWidgetWrapper
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.db.models.expressions import Combinable
from django.forms import BaseModelFormSet, Form, ModelChoiceField, ModelForm
from django.forms import Field as FormField
from django.http import HttpRequest

from marketplace import publishing
from marketplace.admin.generic import ModelAdmin, TabularInline
from marketplace.models import Provider, Service

if TYPE_CHECKING:
    from django.contrib.admin.options import _ListFilterT

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)

OFFERED_MAX = 200
"""Rows in a list to choose from; of more than so many, one is searched for."""
_SELLER = "apicharge_seller"


def seller(request: HttpRequest) -> Provider | None:
    """The provider whose rows are all that this user may see; None for staff.

    Asked for dozens of times while a page is made, looked up once.
    """
    if not hasattr(request, _SELLER):
        found = None
        if request.user.is_authenticated and not request.user.is_superuser:
            known = Provider.objects.select_related("proof")  # Each page asks whether there is one.
            found = known.filter(owner=request.user).first()
        setattr(request, _SELLER, found)
    remembered: Provider | None = getattr(request, _SELLER)
    return remembered


class _Choices:
    """Foreign keys offer what the other model's admin would list for this user."""

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Model]", request: HttpRequest, **kwargs: object
    ) -> "ModelChoiceField[Model] | None":
        site = self.admin_site  # type: ignore[attr-defined]
        model = db_field.remote_field.model
        if site.is_registered(model):
            known = site.get_model_admin(model)
            rows = kwargs["queryset"] = known.get_queryset(request)
            if known.search_fields and rows[OFFERED_MAX : OFFERED_MAX + 1].exists():
                kwargs["widget"] = AutocompleteSelect(db_field, site)
        elif seller(request) is not None:
            kwargs["queryset"] = model._default_manager.none()  # noqa: SLF001
        field: ModelChoiceField[Model] | None = super().formfield_for_foreignkey(  # type: ignore[misc]
            db_field, request, **kwargs
        )
        return field

    def formfield_for_dbfield(
        self, db_field: "Field[object, object]", request: HttpRequest, **kwargs: object
    ) -> FormField | None:
        """Without the icons that open the other row in a window of its own."""
        field: FormField | None = super().formfield_for_dbfield(  # type: ignore[misc]
            db_field, request, **kwargs
        )
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field


class OwnRowsAdmin(_Choices, ModelAdmin[M], Generic[M]):
    """`owner_path` leads from a row to its provider; `sellers_may` says which acts are theirs."""

    owner_path: ClassVar[str]
    sellers_may: ClassVar[frozenset[str]] = frozenset({"view", "add", "change", "delete"})
    sellers_filter: ClassVar[Sequence[tuple[str, type[RelatedOnlyFieldListFilter]]]] = ()
    """What only those can filter by who have a few of them: staff has all, and searches."""
    staff_ordering: ClassVar[Sequence[str]] = ()
    """Where a whole table would have to be sorted by what is no index of its own."""
    actions = None  # "Delete selected" would pass by the rules that a row's own page keeps.
    view_on_site = False
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = super().get_queryset(request)
        owner = seller(request)
        return rows if owner is None else rows.filter(**{self.owner_path: owner.pk})

    def get_ordering(self, request: HttpRequest) -> list[str | Combinable]:
        ours = self.staff_ordering if seller(request) is None else ()
        return [*ours] or [*super().get_ordering(request)]

    def get_list_filter(self, request: HttpRequest) -> "list[_ListFilterT]":
        more = self.sellers_filter if seller(request) is not None else ()
        return [*super().get_list_filter(request), *more]

    def _allows(self, act: str, request: HttpRequest, row: Model | None, otherwise: bool) -> bool:
        owner = seller(request)
        if owner is None:
            return otherwise
        if row is not None:
            found = reduce(getattr, self.owner_path.split("__"), row)
            if getattr(found, "pk", found) != owner.pk:
                return False
        return act in self.sellers_may

    def has_module_permission(self, request: HttpRequest) -> bool:
        otherwise = super().has_module_permission(request)
        return self._allows("view", request, None, otherwise)

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._allows("view", request, obj, super().has_view_permission(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._allows("add", request, None, super().has_add_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._allows("change", request, obj, super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._allows("delete", request, obj, super().has_delete_permission(request, obj))


class PublishedAdmin(OwnRowsAdmin[M], Generic[M]):
    """Rows that gateways know of: each change of a row or its inlines is published with it."""

    def save_related(
        self,
        request: HttpRequest,
        form: Form,
        formsets: "Sequence[BaseModelFormSet[Model, ModelForm[Model]]]",
        change: bool,
    ) -> None:
        super().save_related(request, form, formsets, change)
        publishing.publish(_services_of(form))


def _services_of(form: Form) -> set[int]:
    """What the row is, or belongs to, and what it belonged to before."""
    row = getattr(form, "instance")  # noqa: B009  The stubs want any form here.
    if isinstance(row, Service):
        return {row.pk}
    return {row.service_id, form.initial.get("service") or row.service_id}


class OwnRowsInline(_Choices, TabularInline[M, P], Generic[M, P]):
    """Rows of a parent that the parent's own admin has let this user see."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return seller(request) is not None or super().has_view_permission(request, obj)

    def has_add_permission(  # type: ignore[override]  # The stubs miss the parent.
        self, request: HttpRequest, obj: P | None
    ) -> bool:
        return seller(request) is not None or super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return seller(request) is not None or super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return seller(request) is not None or super().has_delete_permission(request, obj)
