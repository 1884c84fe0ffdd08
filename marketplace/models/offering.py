"""A service, and where its calls are sent."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from marketplace.guarded import Guarded
from marketplace.models.providers import ONE_LINE, SLUG, Category, Provider, is_one_line
from marketplace.reaching import WAIT, WEIGHT, Reached


def _timeout(default_ms: int, help_text: str) -> "models.PositiveIntegerField[int, int]":
    return models.PositiveIntegerField(default=default_ms, validators=WAIT, help_text=help_text)


def held_first() -> bool:
    return bool(settings.REVIEWS_SERVICES)


class ServiceQuerySet(models.QuerySet["Service"]):
    def listed(self) -> Self:
        """Those that the catalogue shows to everybody."""
        return self.on_sale().filter(visibility=Service.Visibility.PUBLIC)

    def on_sale(self) -> Self:
        return self.filter(
            state=Service.State.PUBLISHED,
            is_held=False,
            is_suspended=False,
            provider__is_suspended=False,
        )

    def waiting(self) -> Self:
        """Their providers would sell them, and staff has not looked at them."""
        return self.filter(state=Service.State.PUBLISHED, is_held=True)

    def gated(self) -> Self:
        """Those that the gate answers for: a withdrawn one still serves the grants it sold."""
        return self.exclude(state=Service.State.DRAFT)


class Service(Reached, Guarded):
    class State(models.TextChoices):
        DRAFT = "draft", "Draft: nobody sees it"
        PUBLISHED = "published", "Published: in the catalogue, on sale"
        WITHDRAWN = "withdrawn", "Withdrawn: no more sales, running grants go on"

    class Visibility(models.TextChoices):
        PUBLIC = "public", "Public: in the catalogue"
        UNLISTED = "unlisted", "Unlisted: for whoever knows its address"
        MEMBERS = "members", "Members: of an organisation, and nobody else"

    class Protocol(models.TextChoices):
        REST = "rest", "REST"
        SSE = "sse", "Server-sent events"
        WEBSOCKET = "websocket", "WebSocket"
        GRPC = "grpc", "gRPC"
        OPENAI = "openai", "OpenAI-compatible"

    class Region(models.TextChoices):
        AFRICA = "africa", _("Africa")
        ASIA = "asia", _("Asia")
        EUROPE = "europe", _("Europe")
        MIDDLE_EAST = "middle-east", _("Middle East")
        NORTH_AMERICA = "north-america", _("North America")
        OCEANIA = "oceania", _("Oceania")
        SOUTH_AMERICA = "south-america", _("South America")

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="services")
    category = models.ForeignKey(
        Category, on_delete=models.SET_NULL, related_name="services", null=True, blank=True
    )
    name = models.CharField(max_length=80, validators=[ONE_LINE])
    slug = models.CharField(
        max_length=63,
        unique=True,
        validators=[SLUG],
        help_text="Part of every address of the service. It cannot change while grants run.",
    )
    tagline = models.CharField(
        max_length=140, validators=[ONE_LINE], help_text="One line, shown on the card."
    )
    description = models.TextField(blank=True, max_length=20_000, help_text="Markdown.")
    refunds = models.CharField(
        "refund rule",
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[ONE_LINE],
        help_text="Your promise, shown with your plans, such as: all of it, before the first call.",
    )
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    visibility = models.CharField(
        max_length=8, choices=Visibility, default=Visibility.PUBLIC, help_text="Once published."
    )
    organisation = models.ForeignKey(
        Organisation,
        on_delete=models.SET_NULL,
        related_name="services",
        null=True,
        blank=True,
        help_text="Whose members see it, and may buy, where it is for members.",
    )
    featured = models.BooleanField(
        default=False, help_text="On the catalogue's first page, before all others."
    )
    protocols = models.JSONField(
        default=list, blank=True, help_text="What it speaks; the catalogue can be narrowed to it."
    )
    regions = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Where it runs; the catalogue can be narrowed to it.",
    )
    tags = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="What it is found by, beside what is said elsewhere.",
    )
    is_held = models.BooleanField("waits for review", default=held_first, editable=False)
    is_suspended = models.BooleanField(default=False, editable=False)
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
        indexes = [models.Index(fields=["visibility"], name="services_by_visibility")]
        constraints = [
            models.CheckConstraint(
                name="service_state_is_known",
                condition=Q(state__in=["draft", "published", "withdrawn"]),
            ),
            models.CheckConstraint(
                name="service_visibility_is_known",
                condition=Q(visibility__in=["public", "unlisted", "members"]),
            ),
            models.CheckConstraint(name="service_name_is_one_line", condition=is_one_line("name")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def runs_in(self) -> list[str]:
        return [str(region.label) for region in self.Region if region in self.regions]

    @property
    def sells(self) -> bool:
        """Whether what is priced of it is on sale."""
        stopped = self.is_held or self.is_suspended or self.provider.is_suspended
        return self.state == Service.State.PUBLISHED and not stopped


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
