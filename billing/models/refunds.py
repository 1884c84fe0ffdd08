from django.db import models
from django.db.models import Q

from billing.domain.refunds import OPEN, State
from billing.models.purchases import ADDRESS, HEX_256, Purchase
from marketplace.models import Provider


class Refund(models.Model):
    """A transfer back to the buyer: built by us, signed by the provider, seen on chain or not."""

    id = models.CharField(primary_key=True, max_length=HEX_256)
    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="refunds")
    provider = models.ForeignKey(Provider, models.PROTECT, null=True, blank=True)
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in State])
    moved_at_s = models.BigIntegerField()
    created_at_s = models.BigIntegerField()
    due_at_ms = models.BigIntegerField(null=True, blank=True, db_index=True)
    reason = models.CharField(max_length=200, default="", blank=True)
    ends_grant = models.BooleanField(default=False)

    network = models.CharField(max_length=32)
    payer = models.CharField(max_length=ADDRESS)
    receiver = models.CharField(max_length=ADDRESS)
    asset = models.CharField(max_length=ADDRESS)
    asset_code = models.CharField(max_length=12)
    amount = models.BigIntegerField()

    tx_hash = models.CharField(max_length=HEX_256)
    envelope = models.TextField()
    signed = models.TextField(default="", blank=True)
    link = models.TextField(default="", blank=True)
    last_moment_s = models.BigIntegerField()
    built_at_ledger = models.BigIntegerField()
    sent_at_ms = models.BigIntegerField(null=True, blank=True)
    last_code = models.CharField(max_length=64, default="", blank=True)
    ledger = models.BigIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        ordering = ["-created_at_s", "id"]
        constraints = [
            models.UniqueConstraint(fields=["network", "tx_hash"], name="one_refund_per_transfer"),
            # The next would have the same sequence number, and one of the two could not be sent.
            models.UniqueConstraint(
                fields=["network", "payer"],
                condition=Q(state__in=sorted(OPEN)),
                name="one_open_refund_per_payer",
            ),
            models.CheckConstraint(condition=Q(amount__gte=1), name="refund_is_positive"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]), name="refund_state_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=State.REFUNDED) | Q(ledger__isnull=False),
                name="refund_names_its_ledger",
            ),
        ]

    def __str__(self) -> str:
        return self.pk
