"""Logins and what belongs to them, for staff, in the console's own look."""

from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest

from gateway.theme import ModelAdmin, PasswordForm, UserAddForm, UserForm

admin.site.unregister([User, Group, EmailAddress, Authenticator, UserSession])


@admin.register(User)
class LoginAdmin(UserAdmin, ModelAdmin[User]):  # type: ignore[type-arg]
    form = UserForm
    add_form = UserAddForm
    change_password_form = PasswordForm
    filter_horizontal = ()  # Two lists side by side are wider than a phone, and say nothing aloud.


@admin.register(Group)
class LoginGroupAdmin(GroupAdmin, ModelAdmin[Group]):
    filter_horizontal = ()


@admin.register(EmailAddress)
class AddressAdmin(EmailAddressAdmin, ModelAdmin[EmailAddress]):  # type: ignore[misc]
    pass


class Removable(ModelAdmin[Model]):
    """Written by whoever logs in. Staff may end it, and sees no secret of it."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False


@admin.register(Authenticator)
class SecondFactorAdmin(Removable):
    fields = list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)


@admin.register(UserSession)
class SessionAdmin(Removable):
    fields = list_display = ("user", "created_at", "last_seen_at", "ip", "user_agent")
    search_fields = ("user__username", "ip")
    list_select_related = ("user",)
