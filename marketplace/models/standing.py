"""What the catalogue knows of each service by itself: figures, prices and words, in narrow rows.

All of it can be made again from other rows (`listing.refresh`); only the days cannot, once the
usage that they add up is forgotten.
"""

from django.db import models
from django.db.models import Q

from marketplace.models.offering import Service
from marketplace.models.providers import Category

UNKNOWN_MS = 2**31 - 1
"""In the place of a latency that was not measured: it sorts last."""
NO_PRICE = 2**63 - 1
BUYERS_MIN = 10


class Standing(models.Model):
    """One row per service: what it is found and ordered by."""

    service = models.OneToOneField(
        Service, on_delete=models.CASCADE, related_name="figures", primary_key=True
    )
    listed = models.BooleanField(default=False)
    featured = models.BooleanField(default=False)
    category = models.ForeignKey(
        Category, on_delete=models.SET_NULL, related_name="standings", null=True
    )
    listed_since_s = models.BigIntegerField(default=0)

    plan_count = models.PositiveIntegerField(default=0)
    has_free = models.BooleanField(default=False)
    has_paid = models.BooleanField(default=False)
    has_pass = models.BooleanField(default=False, help_text="Paid, and as much as one likes.")
    has_usage = models.BooleanField(default=False, help_text="Paid, and counted.")
    amount = models.PositiveBigIntegerField(null=True, help_text="Of the cheapest pass.")
    asset = models.CharField(max_length=12, default="")
    access_seconds = models.PositiveBigIntegerField(null=True)
    price_key = models.BigIntegerField(
        default=NO_PRICE, help_text="The asset's place, and the least that an hour costs in it."
    )
    protocols = models.PositiveSmallIntegerField(default=0, help_text="A bit for each.")
    regions = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="A bit for each.")
    verified = models.BooleanField(
        default=False, db_default=False, help_text="Its provider's domain is proven."
    )

    calls = models.BigIntegerField(default=0, help_text="Of the last 30 days.")
    success = models.PositiveSmallIntegerField(null=True, help_text="Of 10,000 calls.")
    p50_ms = models.PositiveIntegerField(default=UNKNOWN_MS)
    probes = models.PositiveIntegerField(default=0, help_text="Of the last 30 days.")
    uptime = models.PositiveSmallIntegerField(null=True, help_text="Of 10,000 probes.")
    probe_due_s = models.BigIntegerField(default=0)
    probed_at = models.DateTimeField(null=True)
    down_since = models.DateTimeField(null=True)

    buyers = models.PositiveIntegerField(default=0, help_text="Distinct, of all time.")
    repeat_buyers = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Of these, who bought more than once."
    )
    recent_buyers = models.PositiveIntegerField(default=0, help_text="Of the last 30 days.")
    popularity = models.BigIntegerField(default=0)
    rating = models.PositiveSmallIntegerField(default=0, help_text="Mean, in hundredths.")
    rating_count = models.PositiveIntegerField(default=0)
    rating_key = models.PositiveSmallIntegerField(default=0)
    refreshed_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [
            models.Index(
                fields=[column, "service"], condition=Q(listed=True), name=f"listed_by_{name}"
            )
            for column, name in (
                ("popularity", "popularity"),
                ("price_key", "price"),
                ("p50_ms", "latency"),
                ("rating_key", "rating"),
                ("listed_since_s", "age"),
                ("category", "category"),
            )
        ] + [
            models.Index(
                fields=["service"], condition=Q(listed=True, featured=True), name="listed_featured"
            ),
            models.Index(
                fields=["service"],
                condition=Q(listed=True, down_since__isnull=False),
                name="listed_and_down",
            ),
            models.Index(
                fields=["service"],
                condition=Q(listed=True, verified=True),
                name="listed_and_verified",
            ),
            models.Index(fields=["probe_due_s"], condition=Q(listed=True), name="listed_to_probe"),
        ]

    def __str__(self) -> str:
        return f"standing of {self.service_id}"

    @property
    def repeat_share(self) -> str:
        """Of the buyers; of few of them it says nothing."""
        if self.buyers < BUYERS_MIN:
            return ""
        return f"{100 * self.repeat_buyers // self.buyers} %"


class CheapestPrice(models.Model):
    """The cheapest pass of a service in one asset; a free one only where nothing costs anything."""

    standing = models.ForeignKey(Standing, on_delete=models.CASCADE, related_name="prices")
    asset = models.CharField(max_length=12)
    amount = models.PositiveBigIntegerField()
    access_seconds = models.PositiveBigIntegerField()
    per_hour = models.BigIntegerField(help_text="The least that an hour costs, in base units.")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_cheapest_price", fields=["standing", "asset"]),
        ]
        indexes = [
            models.Index(fields=["asset", "per_hour", "standing"], name="cheapest_an_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.asset}"


class Words(models.Model):
    """What a service is found by. The database's own index of it is made by the migration."""

    service = models.OneToOneField(
        Service, on_delete=models.CASCADE, related_name="words", primary_key=True
    )
    name = models.TextField()
    rest = models.TextField()

    class Meta:
        verbose_name_plural = "words"

    def __str__(self) -> str:
        return self.name


class MeasuredDay(models.Model):
    """What was measured of a service on one day (UTC): calls through the gate, and our probes."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="measured")
    day = models.DateField(db_index=True)
    calls = models.BigIntegerField(default=0)
    failures = models.BigIntegerField(default=0, help_text="Of the upstream.")
    latencies = models.JSONField(default=list, help_text="As in the usage by the minute.")
    probes = models.PositiveIntegerField(default=0)
    answered = models.PositiveIntegerField(default=0, help_text="Probes, with less than 500.")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="measured_once_a_day", fields=["service", "day"]),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} on {self.day}"


class Turn(models.Model):
    """Work that one process does at a time, and how far it is."""

    name = models.CharField(max_length=32, primary_key=True)
    taken_until = models.DateTimeField(null=True)
    done_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
