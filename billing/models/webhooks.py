"""Where events are told, and each telling with what came of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.domain.webhooks import State
from marketplace.models import Provider

URL_LENGTH_MAX = 500
MESSAGE_ID = 40


class WebhookEndpoint(models.Model):
    """A user's or a provider's server. `events` names what it is told; empty: everything."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="webhooks"
    )
    provider = models.ForeignKey(Provider, models.CASCADE, null=True, related_name="webhooks")
    url = models.CharField("address", max_length=URL_LENGTH_MAX)
    description = models.CharField(max_length=100, blank=True, default="")
    events = models.JSONField(default=list, blank=True)
    secret = models.CharField(max_length=100, editable=False)
    former_secret = models.CharField(max_length=100, blank=True, default="", editable=False)
    former_until_s = models.BigIntegerField(default=0, editable=False)
    created_at_s = models.BigIntegerField(editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)  # In a row.
    failing_since_s = models.BigIntegerField(null=True, editable=False)
    disabled_at_s = models.BigIntegerField(null=True, editable=False)
    disabled_because = models.CharField(max_length=200, blank=True, default="", editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, provider__isnull=True)
                | Q(user__isnull=True, provider__isnull=False),
                name="webhook_has_one_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One message to one endpoint. Its id and its body never change; a replay sends them again.

    `key` names what happened: the same is told to an endpoint once.
    """

    id = models.CharField(primary_key=True, max_length=MESSAGE_ID)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=64)
    key = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(
        max_length=9, choices=[(s.value, s.value) for s in State], default=State.PENDING.value
    )
    created_at_s = models.BigIntegerField()
    due_at_ms = models.BigIntegerField(null=True, blank=True)
    sending_until_ms = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    log = models.JSONField(default=list)  # The last attempts: when, status, how long, why.

    class Meta:
        ordering = ["-created_at_s", "-id"]
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(
                fields=["due_at_ms"], condition=Q(due_at_ms__isnull=False), name="delivery_due"
            ),
            models.Index(fields=["endpoint", "-created_at_s"], name="delivery_of_endpoint"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "key"], name="told_once_to_an_endpoint"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]), name="delivery_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state=State.PENDING.value, due_at_ms__isnull=False)
                | ~Q(state=State.PENDING.value) & Q(due_at_ms__isnull=True),
                name="pending_delivery_is_due",
            ),
        ]

    def __str__(self) -> str:
        return self.id
