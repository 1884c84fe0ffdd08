"""What buyers ask of those who sold to them, and tell staff about them."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.domain.requests import State
from billing.models.purchases import Purchase
from marketplace.models import Provider, Service


class RefundRequest(models.Model):
    """A buyer's wish for money back. One of a purchase is open at a time."""

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="refund_requests")
    provider = models.ForeignKey(Provider, models.PROTECT, null=True, blank=True)
    asked_by = models.CharField(max_length=160)
    reason = models.CharField(max_length=500)
    state = models.CharField(
        max_length=9, choices=[(s.value, s.value) for s in State], default=State.ASKED.value
    )
    answer = models.CharField(max_length=500, default="", blank=True)
    asked_at_s = models.BigIntegerField()
    moved_at_s = models.BigIntegerField()

    class Meta:
        ordering = ["-asked_at_s", "-id"]
        indexes = [models.Index(fields=["state", "-asked_at_s"], name="refund_request_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase"],
                condition=Q(state=State.ASKED.value),
                name="one_open_request_per_purchase",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]),
                name="refund_request_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id[:12]}… {self.state}"


class ServiceReport(models.Model):
    """What a buyer says is wrong with a service, for staff. One of a purchase waits at a time."""

    class Reason(models.TextChoices):
        BROKEN = "broken", "It does not work"
        MISLEADING = "misleading", "It is not what was promised"
        ABUSIVE = "abusive", "It is harmful or illegal"
        OTHER = "other", "Something else"

    service = models.ForeignKey(Service, models.CASCADE, related_name="reports")
    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="+")
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=10, choices=Reason)
    text = models.CharField(max_length=1_000, blank=True, default="")
    reported_at_s = models.BigIntegerField()
    handled_at_s = models.BigIntegerField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["-reported_at_s", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase"],
                condition=Q(handled_at_s=None),
                name="one_waiting_report_per_purchase",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.service_id}"
