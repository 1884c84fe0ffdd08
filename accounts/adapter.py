"""What the account pages (allauth) ask of this site: where links lead, who counts as one client."""

from ipaddress import ip_network

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailConfirmationMixin
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from gateway.domain.networks import UNKNOWN, network_of

STAGES = {
    "allauth.account.stages.EmailVerificationStage": "accounts.stages.ConfirmAddress",
}


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
        return reverse("admin:index") if _is_staff(request) else reverse("accounts:overview")

    def get_login_stages(self) -> list[str]:
        return [STAGES.get(stage, stage) for stage in super().get_login_stages()]

    def format_email_subject(self, subject: str) -> str:
        return f"ApiCharge: {' '.join(subject.split())}"


def _is_staff(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_staff


def _address(name: str, *arguments: str) -> str:
    """By our own origin: a link in a mail must not follow the Host that somebody sent."""
    return str(settings.ORIGIN) + reverse(name, args=arguments)
