"""The price of a route, version by version, and what was signed of it.

A route quote is a draft until it is published; from then on it never changes, it is only retired.
The database itself refuses anything else (see the migration): a buyer's receipt names a version,
and that version must say tomorrow what it said today. `Quote` rows are what was signed, and never
change at all.
"""

from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from marketplace.domain import quotes
from marketplace.models.offering import Service
from marketplace.models.providers import ONE_LINE
from marketplace.models.routes import Route

ACCESS_SECONDS_MAX = 10 * 366 * 86_400


class RouteQuoteQuerySet(models.QuerySet["RouteQuote"]):
    def on_sale(self) -> Self:
        return self.filter(
            state=RouteQuote.State.PUBLISHED,
            route__removed_at=None,
            route__service__state=Service.State.PUBLISHED,
            route__service__is_held=False,
            route__service__is_suspended=False,
            route__service__provider__is_suspended=False,
            asset__in=list(settings.CHAIN.assets),
        )


class RouteQuote(models.Model):
    """One version of one offer: price, access time and limits."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        RETIRED = "retired", "Retired"

    class Starts(models.TextChoices):
        PURCHASE = "purchase", "at the purchase"
        FIRST_USE = "first_use", "at the first call"

    class Charge(models.TextChoices):
        SUCCESS = "success", "only calls that the upstream answered without an error of its own"
        ALWAYS = "always", "every call that reached the upstream"

    route = models.ForeignKey(Route, on_delete=models.PROTECT, related_name="quotes")
    name = models.CharField(
        max_length=quotes.NAME_LENGTH_MAX, validators=[ONE_LINE], help_text="Such as Day pass."
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    amount = models.PositiveBigIntegerField("price in base units")
    asset = models.CharField(max_length=12)
    access_seconds = models.PositiveBigIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(ACCESS_SECONDS_MAX)]
    )
    starts = models.CharField(
        "access starts", max_length=9, choices=Starts, default=Starts.PURCHASE
    )
    charge = models.CharField("limits count", max_length=7, choices=Charge, default=Charge.SUCCESS)
    adjustable = models.BooleanField(
        "the upstream may take credits",
        default=False,
        help_text="Lets the upstream lower what is left of a grant, beyond the cost of a call.",
    )
    meter = models.JSONField(null=True, blank=True, editable=False)
    limits = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, editable=False)
    retired_at = models.DateTimeField(null=True, editable=False)

    objects = RouteQuoteQuerySet.as_manager()

    class Meta:
        verbose_name = "price"
        ordering = ["route", "amount", "name", "-version"]
        constraints = [
            models.UniqueConstraint(
                name="version_once_an_offer", fields=["route", "name", "version"]
            ),
            models.UniqueConstraint(
                name="one_published_version",
                fields=["route", "name"],
                condition=Q(state="published"),
            ),
            models.UniqueConstraint(
                name="one_draft_version", fields=["route", "name"], condition=Q(state="draft")
            ),
            models.CheckConstraint(
                name="quote_price_and_time_in_range",
                condition=Q(amount__gte=0)
                & Q(access_seconds__gte=1, access_seconds__lte=ACCESS_SECONDS_MAX)
                & Q(version__gte=1),
            ),
            models.CheckConstraint(
                name="quote_choices_are_known",
                condition=Q(starts__in=["purchase", "first_use"], charge__in=["success", "always"]),
            ),
            models.CheckConstraint(
                name="quote_state_and_dates_agree",
                condition=Q(state="draft", published_at=None, retired_at=None)
                | Q(state="published", published_at__isnull=False, retired_at=None)
                | Q(state="retired", published_at__isnull=False, retired_at__gte=F("published_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"


class Quote(models.Model):
    """What was signed for one version and one slot of time: answers `find(digest)` for good."""

    route_quote = models.ForeignKey(RouteQuote, on_delete=models.PROTECT, related_name="signed")
    slot = models.PositiveBigIntegerField()
    payee = models.CharField(max_length=56)
    contract = models.CharField(max_length=56)
    signer = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.PositiveBigIntegerField(db_index=True)
    body = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="signed_once_a_slot",
                fields=["route_quote", "slot", "payee", "contract", "signer"],
            ),
        ]

    def __str__(self) -> str:
        return self.digest
