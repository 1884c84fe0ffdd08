"""The console's look, by django-unfold: every admin takes its classes from here and nowhere else.

Giving the theme up, or another version that names things differently, is a change of this file.
"""

from typing import TYPE_CHECKING, Self

from django.contrib import admin
from django.contrib.auth import forms

__all__ = ["AdminSite", "ModelAdmin", "TabularInline"]
__all__ += ["PasswordForm", "UserAddForm", "UserForm"]

if TYPE_CHECKING:
    AdminSite = admin.AdminSite
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    PasswordForm = forms.AdminPasswordChangeForm
    UserAddForm = forms.AdminUserCreationForm
    UserForm = forms.UserChangeForm
else:
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

    class ModelAdmin(_Generic, _ModelAdmin): ...

    class TabularInline(_Generic, _TabularInline): ...
