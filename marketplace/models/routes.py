"""The routes of a service, each a thing that is sold."""

from typing import Self

from django.db import models

from gateway.domain import routes
from marketplace.guarded import Guarded
from marketplace.models.offering import Service
from marketplace.models.providers import ONE_LINE, SLUG, is_one_line
from marketplace.reaching import WAIT


def _own_timeout(label: str) -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(label, null=True, blank=True, validators=WAIT)


class RouteQuerySet(models.QuerySet["Route"]):
    def standing(self) -> Self:
        return self.filter(removed_at=None)


class Route(Guarded):
    """The unit of sale: a path of a service, with everything below it."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="routes")
    slug = models.CharField(max_length=63, validators=[SLUG])
    name = models.CharField(max_length=80, validators=[ONE_LINE])
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
            models.CheckConstraint(name="route_name_is_one_line", condition=is_one_line("name")),
        ]

    def __str__(self) -> str:
        return self.identifier

    @property
    def identifier(self) -> str:
        return f"{self.service.slug}/{self.slug}"

    @property
    def sells(self) -> bool:
        """Whether its published prices are on sale."""
        return self.removed_at is None and self.service.sells
