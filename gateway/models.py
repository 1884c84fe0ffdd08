"""What the data plane keeps: the routes it follows, the quotas, and the nodes that spend them.

The ledger's invariant, which the database checks itself: `0 <= used <= limit` in every
LimiterLedger row, where `used` counts what was spent and what is out on lease. A Lease row says how
much of `used` one process holds; that process's journal says how much of the lease is spent.
"""

from django.db import models
from django.db.models import F, Q


class Snapshot(models.Model):
    """One publication: its version, and whose parts it wrote. The last of them are kept."""

    version = models.BigAutoField(primary_key=True)
    body = models.JSONField(help_text="Which services changed with it, by their slugs.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"version {self.version}"


class SnapshotPart(models.Model):
    """What gates go by, each part as it is now: one for each service, one that all share.

    A service that is gone keeps its row, without a body, so that gates learn of it.
    """

    SHARED = 0

    service = models.BigIntegerField(
        primary_key=True, help_text="The service's id; 0: the issuer and the verifying keys."
    )
    version = models.BigIntegerField(db_index=True, help_text="In which it last changed.")
    body = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"part {self.service} of version {self.version}"


class SnapshotAddress(models.Model):
    """A host, or a path on the main host, and the one service that answers there."""

    address = models.TextField(primary_key=True)
    service = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return self.address


class VerifyingKey(models.Model):
    kid = models.CharField(max_length=64, unique=True)
    public_key = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.kid


class Revocation(models.Model):
    """A whole grant, or one access token of it (`token` is the client's jti)."""

    id = models.BigAutoField(primary_key=True)
    grant = models.CharField(max_length=64)
    token = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "token"], name="one_revocation_per_token")
        ]

    def __str__(self) -> str:
        return f"{self.grant} {self.token}".strip()


class GrantLedger(models.Model):
    """A token without its row here is refused, never given one."""

    grant_id = models.CharField(max_length=64, primary_key=True)
    route = models.CharField(max_length=255)
    limits = models.JSONField()
    not_before = models.BigIntegerField()
    expires_at = models.BigIntegerField()
    starts_first_use = models.BooleanField(default=False)
    access_seconds = models.BigIntegerField(null=True, blank=True)
    first_used_at = models.FloatField(null=True, blank=True)
    last_end_reason = models.CharField(max_length=64, blank=True, default="")
    last_end_at = models.FloatField(null=True, blank=True)
    clamped = models.PositiveIntegerField(
        default=0, help_text="Calls for which the upstream asked more credits than a call may cost."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["first_used_at"],
                condition=Q(first_used_at__isnull=False),
                name="ledger_begun",
            ),
        ]

    def __str__(self) -> str:
        return self.grant_id


class LimiterLedger(models.Model):
    """One quota of one grant in one window (0 where it does not renew)."""

    id = models.BigAutoField(primary_key=True)
    grant = models.ForeignKey(GrantLedger, on_delete=models.PROTECT, related_name="limiters")
    index = models.PositiveSmallIntegerField()
    window = models.BigIntegerField(default=0)
    kind = models.CharField(max_length=16)
    limit = models.BigIntegerField()
    used = models.BigIntegerField(default=0)
    due = models.BigIntegerField(default=0)  # Booked, and not yet taken from what is out on lease.
    recall = models.BigIntegerField(default=0)
    recalled_at = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grant", "index", "window"], name="one_limiter_per_window"
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0) & Q(used__lte=F("limit")), name="used_within_limit"
            ),
            models.CheckConstraint(condition=Q(limit__gte=1), name="limit_is_positive"),
            models.CheckConstraint(condition=Q(due__gte=0), name="due_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.grant_id} {self.kind}"


class Booking(models.Model):
    """What an upstream booked to a grant beside its calls. A key is booked once."""

    class Source(models.TextChoices):
        CONSUME = "consume", "consumed in a running stream"
        ADJUST = "adjust", "adjusted by an answer"

    id = models.BigAutoField(primary_key=True)
    grant = models.ForeignKey(GrantLedger, on_delete=models.PROTECT, related_name="bookings")
    key = models.CharField(max_length=64)
    source = models.CharField(max_length=8, choices=Source)
    credits = models.BigIntegerField(help_text="Given, or taken where it is below zero.")
    refused = models.BooleanField(default=False)
    booked_at = models.FloatField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "source", "key"], name="one_booking_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.credits:+} {self.grant_id}"


class GatewayNode(models.Model):
    """One process that leases. The row is gone once its leases are settled."""

    id = models.UUIDField(primary_key=True, editable=False)
    boot_id = models.CharField(max_length=64)
    host = models.CharField(max_length=255)
    journal = models.CharField(max_length=1024)
    started_at = models.FloatField()
    heartbeat_at = models.FloatField()

    def __str__(self) -> str:
        return f"{self.host} {self.id}"


class Lease(models.Model):
    """`amount` of the limiter's `used` is the node's; its journal counts the spent in `slot`."""

    id = models.BigAutoField(primary_key=True)
    node = models.ForeignKey(GatewayNode, on_delete=models.PROTECT, related_name="leases")
    limiter = models.ForeignKey(LimiterLedger, on_delete=models.PROTECT, related_name="leases")
    slot = models.PositiveIntegerField()
    amount = models.BigIntegerField()
    spent = models.BigIntegerField(default=0)  # As last heard; the journal knows better.
    answered = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "slot"], name="one_lease_per_slot"),
            models.CheckConstraint(
                condition=Q(spent__gte=0) & Q(spent__lte=F("amount")), name="spent_within_lease"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.limiter_id}"


class RestingUpstream(models.Model):
    """One of several upstreams of a service that one gate leaves alone, as it said last."""

    node = models.CharField(max_length=32)
    service = models.CharField(max_length=63)
    url = models.CharField(max_length=500)
    is_down = models.BooleanField(help_text="By its health check; else by calls that failed.")
    since = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "service", "url"], name="one_rest_a_node"),
        ]

    def __str__(self) -> str:
        return f"{self.url} of {self.service}"


class UsageWriter(models.Model):
    """One process that writes usage. `batch` is its last one that is in, and not written again."""

    id = models.UUIDField(primary_key=True, editable=False)
    batch = models.BigIntegerField()
    written_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.id)


class UsageMinute(models.Model):
    """What one grant did on one route within a minute; without a grant, what was refused there."""

    id = models.BigAutoField(primary_key=True)
    minute = models.DateTimeField(help_text="Its beginning.")
    grant = models.CharField(
        max_length=64, blank=True, default="", help_text="None: calls without a valid token."
    )
    route = models.CharField(max_length=255, blank=True, default="")
    provider = models.BigIntegerField(default=0, help_text="Who sold the route then; 0: nobody.")
    calls = models.BigIntegerField(default=0)
    bytes_up = models.BigIntegerField(default=0)
    bytes_down = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)
    messages = models.BigIntegerField(default=0)
    upstream_failures = models.BigIntegerField(default=0)
    latencies = models.JSONField(
        default=list, help_text="Calls by the time until their answer began; see LATENCY_MS."
    )
    refusals = models.JSONField(default=dict, help_text="How many, by problem type.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "grant", "route", "provider"],
                name="one_line_per_grant_and_minute",
            )
        ]
        indexes = [
            models.Index(fields=["provider", "-minute"], name="usage_of_a_provider"),
            models.Index(fields=["grant", "-minute"], name="usage_of_a_grant"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.minute:%Y-%m-%d %H:%M}"


class RecentCall(models.Model):
    """One of a grant's latest calls. There are never more than a few of each."""

    id = models.BigAutoField(primary_key=True)
    grant = models.CharField(max_length=64)
    route = models.CharField(max_length=255)
    provider = models.BigIntegerField(default=0)
    at = models.DateTimeField(db_index=True)
    method = models.CharField(max_length=32)
    path = models.CharField(max_length=200, help_text="Without its query.")
    status = models.PositiveSmallIntegerField(null=True, help_text="The upstream's.")
    end = models.CharField(max_length=32)
    bytes_up = models.BigIntegerField()
    bytes_down = models.BigIntegerField()
    credits = models.BigIntegerField()
    messages = models.BigIntegerField()
    answered_in_ms = models.PositiveIntegerField(null=True, help_text="Until the answer began.")
    token = models.CharField(max_length=64, default="", db_default="", help_text="The client's.")

    class Meta:
        indexes = [
            models.Index(fields=["grant", "-id"], name="latest_of_a_grant"),
            models.Index(fields=["provider", "-id"], name="latest_of_a_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
