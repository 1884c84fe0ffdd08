"""That a provider holds a domain, as far as we could see."""

import secrets
from datetime import timedelta

from django.core.validators import RegexValidator
from django.db import models

from marketplace.models.providers import Provider

DOMAIN = RegexValidator(
    r"\A(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\Z",
    "A host name in lower case, such as example.com.",
)
PATH = "/.well-known/apicharge-domain.txt"
LABEL = "_apicharge"
GRACE = timedelta(days=3)
"""So long a domain may not answer before its mark goes."""


def new_token() -> str:
    return secrets.token_hex(16)


class DomainProof(models.Model):
    """One domain of a provider: a record of its DNS, or a file there, says the token that only its
    provider was shown."""

    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, related_name="proof")
    domain = models.CharField(
        max_length=253, validators=[DOMAIN], help_text="Such as example.com, without https://."
    )
    token = models.CharField(max_length=32, default=new_token, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True, editable=False, db_index=True)
    proven_at = models.DateTimeField(null=True, editable=False)
    problem = models.CharField(max_length=200, blank=True, editable=False)

    def __str__(self) -> str:
        return self.domain

    @property
    def address(self) -> str:
        return f"https://{self.domain}{PATH}"

    @property
    def record(self) -> str:
        """The name of the TXT record."""
        return f"{LABEL}.{self.domain}"

    @property
    def line(self) -> str:
        """What the record or the file says."""
        return f"apicharge-domain={self.token}"

    @property
    def holds(self) -> bool:
        """Seen at the last check, or not long before it."""
        if self.proven_at is None or self.checked_at is None:
            return False
        return self.checked_at - self.proven_at < GRACE
