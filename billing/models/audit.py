"""The audit log's rows. What links them: billing/domain/audit.py."""

from django.db import models
from django.db.models import Q

from billing.models.purchases import HEX_256


class AuditHead(models.Model):
    """The last entry of the audit log. Whoever appends locks this row; its number only grows."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=HEX_256)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_audit_head"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.hash}"


class AuditEntry(models.Model):
    """Append-only: a trigger refuses UPDATE and DELETE. Hash-chained: billing/domain/audit.py."""

    number = models.BigIntegerField(primary_key=True)
    at_ms = models.BigIntegerField()
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=64, db_index=True)
    subject = models.CharField(max_length=80, db_index=True)
    detail = models.JSONField(default=dict)
    previous = models.CharField(max_length=HEX_256)
    hash = models.CharField(max_length=HEX_256, unique=True)

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.number} {self.action}"
