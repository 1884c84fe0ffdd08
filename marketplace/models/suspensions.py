from django.db import models
from django.db.models import F, Q

from marketplace.models.offering import Service
from marketplace.models.providers import Provider


class Suspension(models.Model):
    """Sales stopped by staff: of one service, or of all that a provider has. Never deleted.

    Running grants go on. Where `ends_grants` they end: the workers take them in portions, and
    `grants_ended_at` says when none was left.
    """

    service = models.ForeignKey(
        Service, models.PROTECT, null=True, blank=True, related_name="suspensions"
    )
    provider = models.ForeignKey(
        Provider, models.PROTECT, null=True, blank=True, related_name="suspensions"
    )
    reason = models.CharField(max_length=300, help_text="The provider and the buyers read it.")
    ends_grants = models.BooleanField(
        "end running grants too",
        default=False,
        help_text="Each buyer is told why, and a refund is asked for in the buyer's name. "
        "Without this, what was sold runs on until its end.",
    )
    suspended_by = models.CharField(max_length=150, editable=False)
    suspended_at = models.DateTimeField(editable=False)
    grants_ended_at = models.DateTimeField(null=True, editable=False)
    lifted_by = models.CharField(max_length=150, blank=True, default="", editable=False)
    lifted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-suspended_at"]
        constraints = [
            models.CheckConstraint(
                name="suspension_of_one_thing",
                condition=Q(service__isnull=False, provider__isnull=True)
                | Q(service__isnull=True, provider__isnull=False),
            ),
            models.UniqueConstraint(
                name="service_suspended_once",
                fields=["service"],
                condition=Q(lifted_at=None),
            ),
            models.UniqueConstraint(
                name="provider_suspended_once",
                fields=["provider"],
                condition=Q(lifted_at=None),
            ),
            models.CheckConstraint(
                name="suspension_was_lifted_by_somebody",
                condition=Q(lifted_at=None, lifted_by="")
                | (Q(lifted_at__gte=F("suspended_at")) & ~Q(lifted_by="")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.service or self.provider)
