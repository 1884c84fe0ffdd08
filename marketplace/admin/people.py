"""Logins and groups, for staff, in the console's own look."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from gateway.theme import ModelAdmin, PasswordForm, UserAddForm, UserForm

admin.site.unregister([User, Group])


@admin.register(User)
class LoginAdmin(UserAdmin, ModelAdmin[User]):  # type: ignore[type-arg]
    form = UserForm
    add_form = UserAddForm
    change_password_form = PasswordForm
    filter_horizontal = ()  # Two lists side by side are wider than a phone, and say nothing aloud.


@admin.register(Group)
class LoginGroupAdmin(GroupAdmin, ModelAdmin[Group]):
    filter_horizontal = ()
