"""What a provider says of its API: an OpenAPI document, version by version."""

from django.db import models
from django.db.models import Q

from marketplace.models.offering import Service


class ApiDocument(models.Model):
    """One imported version. The current one is what buyers see; the earlier ones are history."""

    class Source(models.TextChoices):
        UPLOAD = "upload", "an uploaded file"
        PASTE = "paste", "pasted text"
        ADDRESS = "address", "an address"

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="documents")
    version = models.PositiveIntegerField()
    is_current = models.BooleanField(default=True)
    title = models.CharField(max_length=140)
    api_version = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=7, choices=Source)
    source_url = models.CharField(max_length=500, blank=True)
    servers = models.JSONField(default=list, blank=True)  # The provider's own; not for buyers.
    body = models.JSONField()
    operation_count = models.PositiveIntegerField()
    words = models.TextField(blank=True, default="", db_default="")  # Of operations, folded.
    streams = models.BooleanField(default=False, db_default=False)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["service", "-version"]
        constraints = [
            models.UniqueConstraint(
                name="document_version_once_a_service", fields=["service", "version"]
            ),
            models.UniqueConstraint(
                name="one_current_document", fields=["service"], condition=Q(is_current=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}, version {self.version}"
