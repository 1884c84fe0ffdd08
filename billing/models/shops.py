"""What a shop's usage comes to by the day, so that its pages never read it minute by minute."""

from django.db import models


class SummedUntil(models.Model):
    """How far usage is summed up: one row, locked by whoever goes on."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    minute = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_summed_until"),
        ]

    def __str__(self) -> str:
        return str(self.minute)


class RouteDay(models.Model):
    """One route of one provider on one day (UTC)."""

    provider = models.BigIntegerField()
    route = models.CharField(max_length=255)
    day = models.DateField()
    calls = models.BigIntegerField(default=0)
    failures = models.BigIntegerField(default=0)
    bytes_up = models.BigIntegerField(default=0)
    bytes_down = models.BigIntegerField(default=0)
    latencies = models.JSONField(default=list)
    refusals = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "day", "route"], name="one_route_day"),
        ]

    def __str__(self) -> str:
        return f"{self.route} on {self.day}"


class GrantDay(models.Model):
    """One grant on one route on one day (UTC). `peak`: the most calls of one minute."""

    provider = models.BigIntegerField()
    route = models.CharField(max_length=255)
    grant = models.CharField(max_length=64)
    day = models.DateField()
    buyer = models.CharField(max_length=56, blank=True, default="")
    calls = models.BigIntegerField(default=0)
    bytes_up = models.BigIntegerField(default=0)
    bytes_down = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)
    messages = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    minutes = models.PositiveIntegerField(default=0)
    peak = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "route", "day"], name="one_grant_day"),
        ]
        indexes = [
            models.Index(fields=["provider", "day"], name="grant_days_of_a_provider"),
            models.Index(fields=["route", "day"], name="grant_days_of_a_route"),
        ]

    def __str__(self) -> str:
        return f"{self.grant} on {self.day}"
