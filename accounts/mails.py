"""Whether somebody can be written to."""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser


def is_reachable(user: AbstractBaseUser) -> bool:
    """Has shown that an address is theirs; where mails are only printed nobody can show that."""
    if not settings.MAILS_ARE_SENT:
        return True
    return bool(EmailAddress.objects.filter(user=user, verified=True).exists())
