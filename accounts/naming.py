"""What somebody is called on their own pages."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def name_of(user: AbstractBaseUser | AnonymousUser) -> str:
    if not user.is_authenticated:
        return ""
    address = str(getattr(user, "email", ""))
    return address.partition("@")[0] or user.get_username()
