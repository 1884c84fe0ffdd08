from django.db import models
from django.db.models import Q

from billing.domain.discrepancies import Finding, State


class Discrepancy(models.Model):
    """What was found not to fit, and whether anybody has looked at it.

    `subject` is a purchase's id, `reference` a transaction's hash where one purchase has several.
    """

    finding = models.CharField(max_length=32, choices=[(f.value, f.value) for f in Finding])
    subject = models.CharField(max_length=80)
    reference = models.CharField(max_length=64, default="", blank=True)
    detail = models.CharField(max_length=500, default="", blank=True)
    state = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in State], default=State.OPEN.value
    )
    note = models.CharField(max_length=500, default="", blank=True)
    first_seen_at_s = models.BigIntegerField()
    last_seen_at_ms = models.BigIntegerField()
    ended_at_s = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-last_seen_at_ms", "-id"]
        verbose_name_plural = "discrepancies"
        indexes = [models.Index(fields=["state", "last_seen_at_ms"], name="discrepancy_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["finding", "subject", "reference"], name="one_discrepancy_per_subject"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]), name="discrepancy_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.finding} {self.subject[:16]}"
