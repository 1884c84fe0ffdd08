from django.conf import settings
from django.db import models
from django.db.models import Q


class Letter(models.Model):
    """A mail that is due. `key` names what it tells: it is written once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200, unique=True)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    created_at_s = models.BigIntegerField()
    due_at_ms = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at_s = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at_s"]
        indexes = [
            models.Index(
                fields=["due_at_ms"], condition=Q(due_at_ms__isnull=False), name="letter_due"
            ),
            models.Index(fields=["created_at_s"], name="letter_to_forget"),
        ]

    def __str__(self) -> str:
        return self.key
