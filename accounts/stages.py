"""The steps between a password and a session."""

from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpResponse


class ConfirmAddress(EmailVerificationStage):
    """An address is confirmed before its account logs in.

    An account without one has none to confirm: those that the operator made.
    """

    def handle(self) -> tuple[HttpResponse | None, bool]:
        user = self.login.user  # None plays a login, for an address that has an account already.
        if user is not None and not user.email and not _has_address(user):
            return None, True
        response, proceeds = super().handle()
        return response, proceeds


def _has_address(user: AbstractBaseUser) -> bool:
    return bool(EmailAddress.objects.filter(user=user).exists())
