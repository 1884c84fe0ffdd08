"""What the account pages (allauth) ask of this site: where links lead, who counts as one client."""

import logging
from ipaddress import ip_network
from smtplib import SMTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailConfirmationMixin
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from accounts import sealing
from gateway.domain.networks import UNKNOWN, network_of

logger = logging.getLogger(__name__)
STAGES = {
    "allauth.account.stages.EmailVerificationStage": "accounts.stages.ConfirmAddress",
}


class Site(NamedTuple):
    """What mails call this place; allauth would take the `Host` that somebody sent."""

    name: str
    domain: str


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        """The client's network by its first address: limits count by it, sessions are listed by it.

        By network, not by name: a stranger must not be able to lock staff out.
        """
        network = network_of(str(request.META.get("REMOTE_ADDR", "")))
        if network == UNKNOWN:
            raise PermissionDenied("Who asks has no address.")
        return str(ip_network(network).network_address)

    def get_email_confirmation_url(
        self, request: HttpRequest, emailconfirmation: EmailConfirmationMixin
    ) -> str:
        return _address("account_confirm_email", emailconfirmation.key)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """`key` is the user's number, a hyphen and the secret."""
        return _address("account_reset_password_from_key", *key.split("-", 1))

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return reverse("admin:index") if _is_staff(request) else str(settings.LOGIN_REDIRECT_URL)

    def get_login_stages(self) -> list[str]:
        return [STAGES.get(stage, stage) for stage in super().get_login_stages()]

    def get_reauthentication_methods(
        self, user: AbstractBaseUser | AnonymousUser
    ) -> list[dict[str, str]]:
        """Whoever has a second factor confirms with it: the password alone is what thieves have."""
        methods: list[dict[str, str]] = super().get_reauthentication_methods(user)
        if not user.is_authenticated or not is_mfa_enabled(user):
            return methods
        return [each for each in methods if each["id"] != "reauthenticate"]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """What the mail server did not take can be asked for again: no page breaks of it."""
        told = {**context, "current_site": Site("ApiCharge", urlsplit(settings.ORIGIN).netloc)}
        try:
            super().send_mail(template_prefix, email, told)
        except (SMTPException, OSError):
            logger.exception("A mail was not taken: %s", template_prefix)

    def format_email_subject(self, subject: str) -> str:
        return f"ApiCharge: {' '.join(subject.split())}"

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: str) -> str:
        login = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{self.get_client_ip(request)} {login}"


class SecondFactorAdapter(DefaultMFAAdapter):
    """Seeds of codes are sealed: whoever reads the database cannot make codes."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.opened(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "name": "ApiCharge"}


def _is_staff(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_staff


def _address(name: str, *arguments: str) -> str:
    """By our own origin: a link in a mail must not follow the Host that somebody sent."""
    return str(settings.ORIGIN) + reverse(name, args=arguments)
