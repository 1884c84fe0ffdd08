"""The console's look, by django-unfold: every admin takes its classes from here and nowhere else.

Giving the theme up, or another version that names things differently, is a change of this file.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from django.contrib import admin
from django.contrib.auth import forms
from django.db.models import ForeignKey
from django.forms import Media
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

__all__ = ["AdminSite", "ModelAdmin", "TabularInline"]
__all__ += ["PasswordForm", "UserAddForm", "UserForm", "moment"]
EXACT = "j M Y, H:i:s"

if TYPE_CHECKING:
    AdminSite = admin.AdminSite
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    PasswordForm = forms.AdminPasswordChangeForm
    UserAddForm = forms.AdminUserCreationForm
    UserForm = forms.UserChangeForm
else:
    from django.contrib.admin.widgets import AutocompleteSelect
    from unfold import fields as _fields
    from unfold.admin import ModelAdmin as _ModelAdmin
    from unfold.admin import TabularInline as _TabularInline
    from unfold.forms import AdminPasswordChangeForm as PasswordForm
    from unfold.forms import UserChangeForm as UserForm
    from unfold.forms import UserCreationForm as UserAddForm
    from unfold.sites import UnfoldAdminSite as AdminSite

    class _Generic:
        """Django's classes are generic to the type checker alone."""

        def __class_getitem__(cls, _: object) -> type[Self]:
            return cls

    class _Chooser(AutocompleteSelect):
        """One that says what it is while it is empty."""

        def build_attrs(self, *given: object, **more: object) -> dict[str, object]:
            return {**super().build_attrs(*given, **more), "data-placeholder": _("Choose")}

        @property
        def media(self) -> Media:
            return super().media + Media(js=["js/choosing.js"])

    class ModelAdmin(_Generic, _ModelAdmin):
        list_per_page = 50  # The theme's rows are large.

        def formfield_for_foreignkey(
            self, db_field: ForeignKey, request: HttpRequest, **more: object
        ) -> object:
            if db_field.name in self.get_autocomplete_fields(request):
                more.setdefault("widget", _Chooser(db_field, self.admin_site))
            return super().formfield_for_foreignkey(db_field, request, **more)

    class TabularInline(_Generic, _TabularInline): ...

    def _as_json(data: object, encoder: type[json.JSONEncoder] | None) -> SafeString:
        written = json.dumps(data, sort_keys=True, indent=2, cls=encoder, ensure_ascii=False)
        return format_html('<pre class="bytes" tabindex="0">{}</pre>', written)

    # Its own has a style at each word, which the Content-Security-Policy lets no page have.
    _fields.prettify_json = _as_json


def moment(at_s: float | None) -> SafeString:
    """What a row keeps as seconds, as an element that says more when it is pointed at."""
    if not at_s:
        return format_html("{}", _("never"))
    at = datetime.fromtimestamp(int(at_s), UTC)
    return format_html('<time datetime="{}">{} UTC</time>', at.isoformat(), date_format(at, EXACT))
