"""What a shop's usage comes to by the day, so that its pages never read it minute by minute."""

from django.db import models

from marketplace.models import Provider, Service


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
    # Of the service's page, where no route is named.
    views = models.BigIntegerField(default=0, db_default=0)

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
    failures = models.BigIntegerField(default=0, db_default=0)
    refused = models.BigIntegerField(default=0)
    refusals = models.JSONField(default=dict, db_default={})
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


class ShopNotice(models.Model):
    """What a provider was told of one of its grants: that it ended, or which limit is used up."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="+")
    event = models.CharField(max_length=32)
    subject = models.CharField(max_length=80)  # The grant, and the number of the limit.
    told_at_s = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "event", "provider"], name="told_once_of_a_shop"
            ),
            models.CheckConstraint(
                condition=models.Q(event__in=["grant.used_up", "grant.ended"]),
                name="shop_notice_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.subject}"


class Outage(models.Model):
    """A service of which two probes in a row had no answer, until one has."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="+")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "began_at"], name="one_outage_at_a_moment"),
            models.UniqueConstraint(
                fields=["service"],
                condition=models.Q(ended_at__isnull=True),
                name="one_open_outage_of_a_service",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True)
                | models.Q(ended_at__gt=models.F("began_at")),
                name="outage_ends_after_it_began",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} since {self.began_at:%Y-%m-%d %H:%M}"
