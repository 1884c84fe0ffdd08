"""The configurations of a provider that were, for whoever wants one back."""

from django.db import models

from marketplace.models.providers import Provider


class Configuration(models.Model):
    """What a provider's shop was told to be at one moment. Never changed; none is deleted."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="configurations")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    digest = models.CharField(max_length=64)
    changes = models.JSONField(default=list, blank=True)  # In words, from the one before.
    actor = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["provider", "-number"]
        constraints = [
            models.UniqueConstraint(
                name="configuration_number_once_a_provider", fields=["provider", "number"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}, {self.number}"
