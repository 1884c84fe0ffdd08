"""What is sold: providers, their services, the routes of a service and the price of each.

A route quote is a draft until it is published; from then on it never changes, it is only retired.
The database itself refuses anything else (see the migration): a buyer's receipt names a version,
and that version must say tomorrow what it said today. `Quote` rows are what was signed, and never
change at all.
"""

from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from gateway.domain import routes
from marketplace.domain import quotes
from marketplace.guarded import Guarded
from marketplace.reaching import WAIT, WEIGHT, Reached

SLUG = RegexValidator(
    r"^[a-z0-9]+(-[a-z0-9]+)*\Z",
    "Use lower-case letters, digits and single hyphens between them, such as my-service.",
)
ACCESS_SECONDS_MAX = 10 * 366 * 86_400


class Provider(models.Model):
    """Who sells, and the Stellar account that the money goes to."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="provider",
        help_text="The login that edits these services. It needs the staff status, nothing else.",
    )
    name = models.CharField(max_length=80)
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    payout_address = models.CharField(
        max_length=56,
        help_text="Stellar account (G…) that buyers pay to. It needs a trustline for each asset.",
    )
    about = models.TextField(blank=True, max_length=2_000, help_text="Markdown.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    name = models.CharField(max_length=60, unique=True)
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


def _timeout(default_ms: int, help_text: str) -> "models.PositiveIntegerField[int, int]":
    return models.PositiveIntegerField(default=default_ms, validators=WAIT, help_text=help_text)


def _own_timeout(label: str) -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(label, null=True, blank=True, validators=WAIT)


class ServiceQuerySet(models.QuerySet["Service"]):
    def listed(self) -> Self:
        return self.filter(state=Service.State.PUBLISHED)

    def gated(self) -> Self:
        """Those that the gate answers for: a withdrawn one still serves the grants it sold."""
        return self.exclude(state=Service.State.DRAFT)


class Service(Reached, Guarded):
    class State(models.TextChoices):
        DRAFT = "draft", "Draft: nobody sees it"
        PUBLISHED = "published", "Published: in the catalogue, on sale"
        WITHDRAWN = "withdrawn", "Withdrawn: no more sales, running grants go on"

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="services")
    category = models.ForeignKey(
        Category, on_delete=models.SET_NULL, related_name="services", null=True, blank=True
    )
    name = models.CharField(max_length=80)
    slug = models.CharField(
        max_length=63,
        unique=True,
        validators=[SLUG],
        help_text="Part of every address of the service. It cannot change while grants run.",
    )
    tagline = models.CharField(max_length=140, help_text="One line, shown on the card.")
    description = models.TextField(blank=True, max_length=20_000, help_text="Markdown.")
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    host = models.CharField(
        "host name", max_length=253, null=True, blank=True, unique=True, help_text="Of its own."
    )
    root_path = models.CharField(max_length=200, null=True, blank=True, unique=True)
    secret = models.CharField(max_length=64, blank=True, editable=False)
    connect_ms = _timeout(5_000, "Until the connection stands.")
    first_byte_ms = _timeout(100_000, "Until the answer begins.")
    idle_ms = _timeout(300_000, "Longest silence within an answer.")
    allowed_origins = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["state", "-created_at"], name="service_by_age")]
        constraints = [
            models.CheckConstraint(
                name="service_state_is_known",
                condition=Q(state__in=["draft", "published", "withdrawn"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Upstream(models.Model):
    """Where calls are sent. Several share the load."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="upstreams")
    url = models.CharField(
        "address",
        max_length=500,
        help_text="https://api.example.com/base, without a query. For gRPC: grpc:// or grpcs://.",
    )
    weight = models.PositiveSmallIntegerField(
        default=1, validators=WEIGHT, help_text="Its share of the calls, where weights count."
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="upstream_once_a_service", fields=["service", "url"]),
        ]

    def __str__(self) -> str:
        return self.url


class RouteQuerySet(models.QuerySet["Route"]):
    def standing(self) -> Self:
        return self.filter(removed_at=None)


class Route(Guarded):
    """The unit of sale: a path of a service, with everything below it."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="routes")
    slug = models.CharField(max_length=63, validators=[SLUG])
    name = models.CharField(max_length=80)
    path = models.CharField(
        max_length=200,
        default="/",
        help_text="Everything at and below it, such as /v1/forecast. / is the whole service.",
    )
    methods = models.JSONField(default=list, blank=True)
    description = models.CharField(max_length=200, blank=True, help_text="One line.")
    connect_ms = _own_timeout("until the connection stands")
    first_byte_ms = _own_timeout("until the answer begins")
    idle_ms = _own_timeout("longest silence within an answer")
    message_bytes_max = models.PositiveIntegerField(default=routes.MESSAGE_BYTES_MAX, blank=True)
    removed_at = models.DateTimeField(null=True, editable=False)

    objects = RouteQuerySet.as_manager()

    class Meta:
        ordering = ["service", "path", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="route_slug_once_a_service",
                fields=["service", "slug"],
                violation_error_message="This service has, or had, a route with this slug.",
            ),
        ]

    def __str__(self) -> str:
        return self.identifier

    @property
    def identifier(self) -> str:
        return f"{self.service.slug}/{self.slug}"

    @property
    def sells(self) -> bool:
        """Whether its published prices are on sale."""
        return self.removed_at is None and self.service.state == Service.State.PUBLISHED


class RouteQuoteQuerySet(models.QuerySet["RouteQuote"]):
    def on_sale(self) -> Self:
        return self.filter(
            state=RouteQuote.State.PUBLISHED,
            route__removed_at=None,
            route__service__state=Service.State.PUBLISHED,
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
    name = models.CharField(max_length=quotes.NAME_LENGTH_MAX, help_text="Such as Day pass.")
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
        indexes = [models.Index(fields=["state", "asset", "amount"], name="quote_by_price")]
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
