"""Who sells, and under which headings."""

from django.conf import settings
from django.core.validators import RegexValidator, URLValidator
from django.db import models

SLUG = RegexValidator(
    r"^[a-z0-9]+(-[a-z0-9]+)*\Z",
    "Use lower-case letters, digits and single hyphens between them, such as my-service.",
)
ONE_LINE = RegexValidator(
    r"\A[^\x00-\x1f\x7f\x85\u2028\u2029]*\Z", "One line, without line breaks or tabs."
)
WEBSITE = URLValidator(schemes=["http", "https"])


def is_one_line(field: str) -> models.Q:
    """As far as the database has to know."""
    breaks = [models.Q(**{f"{field}__contains": mark}) for mark in "\n\r"]
    return ~breaks[0] & ~breaks[1]


class Provider(models.Model):
    """Who sells, and the Stellar account that the money goes to."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="provider",
        help_text="The login that edits these services. It needs the staff status, nothing else.",
    )
    name = models.CharField(max_length=80, validators=[ONE_LINE])
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    payout_address = models.CharField(
        max_length=56,
        help_text="Stellar account (G…) that buyers pay to. It needs a trustline for each asset.",
    )
    about = models.TextField(blank=True, max_length=2_000, help_text="Markdown.")
    website = models.CharField(
        max_length=200, blank=True, validators=[WEBSITE], help_text="Shown on your page."
    )
    support = models.EmailField(blank=True, help_text="Where buyers write to. Shown on your page.")
    is_suspended = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=is_one_line("name"), name="provider_name_is_one_line"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_verified(self) -> bool:
        """That it holds the domain it names. Ask for `proof` with the provider."""
        proof = getattr(self, "proof", None)
        return proof is not None and proof.holds


class PayoutChange(models.Model):
    """A new payout address on its way: asked for, told to the owner, in force a day later."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="payout_changes")
    address = models.CharField(max_length=56)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField()
    applies_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(cancelled_at=None, applied_at=None),
                name="one_payout_change_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id} to {self.address}"


class Category(models.Model):
    name = models.CharField(max_length=60, unique=True, validators=[ONE_LINE])
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    service_count = models.PositiveIntegerField(default=0, editable=False, help_text="Listed.")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name
