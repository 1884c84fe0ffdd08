"""What somebody is called on their own pages."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

WALLET_LETTERS = 56  # An account that a wallet opened is called after it.


def name_of(user: AbstractBaseUser | AnonymousUser) -> str:
    if not user.is_authenticated:
        return ""
    address = str(getattr(user, "email", ""))
    if address:
        return address.partition("@")[0]
    name = user.get_username()
    return f"{name[:4]}…{name[-4:]}" if len(name) >= WALLET_LETTERS else name
