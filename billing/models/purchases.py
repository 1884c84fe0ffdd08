"""A purchase from instruction to grant: its envelopes, the payment that was seen, the token."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.domain.purchases import State

HEX_256 = 64
ADDRESS = 56
OPEN_PER_BUYER = 10


class ChannelAccount(models.Model):
    """An account of ours that sends one transaction at a time. Its key is derived, never stored.

    A lease outlives its worker by `leased_until_ms`; a transaction that is still open holds the
    channel for as long as it takes.
    """

    network = models.CharField(max_length=32)
    index = models.PositiveIntegerField()
    address = models.CharField(max_length=ADDRESS)
    lease = models.CharField(max_length=HEX_256, default="")
    leased_until_ms = models.BigIntegerField(default=0)
    usable = models.BooleanField(default=True)
    problem = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "index"], name="one_channel_per_index"),
            models.UniqueConstraint(fields=["network", "address"], name="one_channel_per_address"),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.index} {self.address}"


class Purchase(models.Model):
    id = models.CharField(primary_key=True, max_length=HEX_256)
    state = models.CharField(max_length=12, choices=[(s.value, s.value) for s in State])
    moved_at_s = models.BigIntegerField()
    created_at_s = models.BigIntegerField()
    due_at_ms = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    network = models.CharField(max_length=32)
    contract = models.CharField(max_length=ADDRESS)
    buyer = models.CharField(max_length=ADDRESS)
    access_key = models.CharField(max_length=HEX_256)
    digest = models.CharField(max_length=HEX_256)
    route = models.CharField(max_length=201)
    asset = models.CharField(max_length=ADDRESS)
    asset_code = models.CharField(max_length=12)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    payee = models.CharField(max_length=ADDRESS)
    treasury = models.CharField(max_length=ADDRESS)
    quote = models.JSONField()
    expires_at_s = models.BigIntegerField()

    signing_hash = models.CharField(max_length=HEX_256)
    preimage = models.TextField(default="", blank=True)
    entry = models.TextField(default="", blank=True)
    transaction = models.TextField(default="", blank=True)
    link = models.TextField(default="", blank=True)
    valid_until = models.BigIntegerField(null=True, blank=True)
    instructed_at_ledger = models.BigIntegerField(null=True, blank=True)
    # Held while instructed, so that the database counts a buyer's open instructions.
    open_slot = models.PositiveSmallIntegerField(null=True, blank=True)
    client_network = models.CharField(max_length=64, default="", blank=True)
    is_offered = models.BooleanField(default=False)  # Made for a 402, and nobody's.
    # Who was logged in, or claimed it since; nobody has to be.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="purchases"
    )
    notice_due_at_s = models.BigIntegerField(null=True, blank=True)  # See noticing.py.

    authorization_kind = models.CharField(max_length=12, default="", blank=True)
    authorization = models.TextField(default="", blank=True)
    authorized_at_s = models.BigIntegerField(null=True, blank=True)

    paid_tx_hash = models.CharField(max_length=HEX_256, default="", blank=True)
    paid_ledger = models.BigIntegerField(null=True, blank=True)
    paid_at_s = models.BigIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=64, default="", blank=True)
    problem_detail = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        ordering = ["-created_at_s", "id"]
        indexes = [
            models.Index(
                fields=["due_at_ms"], condition=Q(due_at_ms__isnull=False), name="purchase_due"
            ),
            models.Index(
                fields=["moved_at_s"],
                condition=Q(state=State.EXPIRED, authorized_at_s__isnull=True),
                name="purchase_to_forget",
            ),
            models.Index(fields=["digest"], name="purchase_digest"),
            models.Index(fields=["buyer", "-created_at_s"], name="purchase_buyer"),
            models.Index(fields=["owner", "-created_at_s"], name="purchase_owner"),
            models.Index(
                fields=["notice_due_at_s"],
                condition=Q(notice_due_at_s__isnull=False),
                name="purchase_notice_due",
            ),
            models.Index(fields=["route", "created_at_s"], name="purchase_route"),
            models.Index(fields=["client_network", "state"], name="purchase_client_network"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["buyer", "open_slot"],
                condition=Q(open_slot__isnull=False),
                name="one_open_instruction_per_slot",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]), name="purchase_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0, fee__gte=0, fee__lte=F("amount")),
                name="purchase_amounts_add_up",
            ),
            models.CheckConstraint(
                condition=Q(open_slot__isnull=True)
                | Q(open_slot__lt=OPEN_PER_BUYER, state=State.INSTRUCTED),
                name="only_open_instructions_hold_a_slot",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[State.AUTHORIZED, State.SUBMITTED])
                | Q(authorized_at_s__isnull=False),
                name="authorized_purchase_has_authorization",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[State.CONFIRMED, State.GRANTED])
                | Q(amount=0)
                | Q(paid_ledger__isnull=False, paid_at_s__isnull=False),
                name="paid_purchase_names_its_ledger",
            ),
        ]

    def __str__(self) -> str:
        return self.id


class ChainTransaction(models.Model):
    """An envelope, committed before it is first sent. What is sent again is these bytes."""

    class State(models.TextChoices):
        BUILT = "built"
        SENT = "sent"
        APPLIED = "applied"
        FAILED = "failed"
        DEAD = "dead"  # Provably never applied.

    OPEN = (State.BUILT, State.SENT)

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="transactions")
    channel = models.ForeignKey(ChannelAccount, models.PROTECT, null=True, blank=True)
    sequence = models.BigIntegerField(null=True, blank=True)
    tx_hash = models.CharField(max_length=HEX_256, unique=True)
    envelope = models.TextField()
    last_moment_s = models.BigIntegerField()
    built_at_ledger = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.BUILT)
    created_at_s = models.BigIntegerField()
    sends = models.PositiveIntegerField(default=0)
    sent_at_ms = models.BigIntegerField(null=True, blank=True)
    last_code = models.CharField(max_length=64, default="", blank=True)
    ledger = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "sequence"],
                condition=~Q(state="dead"),
                name="one_envelope_per_sequence",
            ),
            models.UniqueConstraint(
                fields=["purchase"],
                condition=Q(state__in=["built", "sent"]),
                name="one_open_envelope_per_purchase",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["built", "sent", "applied", "failed", "dead"]),
                name="transaction_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(channel__isnull=True) | Q(sequence__isnull=False),
                name="channel_envelope_has_a_sequence",
            ),
        ]

    def __str__(self) -> str:
        return self.tx_hash


class Payment(models.Model):
    """One `purchased` event, as the chain tells it, and what became of it."""

    class Standing(models.TextChoices):
        MATCHED = "matched"
        UNCLAIMED = "unclaimed"  # No purchase of this id: `recover` may still find its quote.
        DISCREPANCY = "discrepancy"

    PAID_TWICE = "paid twice"  # In `differs_in`: it equals the purchase, which was paid before.

    network = models.CharField(max_length=32)
    tx_hash = models.CharField(max_length=HEX_256)
    ledger = models.BigIntegerField()
    closed_at_s = models.BigIntegerField()
    purchase_ref = models.CharField(max_length=HEX_256, db_index=True)
    buyer = models.CharField(max_length=ADDRESS)
    digest = models.CharField(max_length=HEX_256)
    access_key = models.CharField(max_length=HEX_256)
    asset = models.CharField(max_length=ADDRESS)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    payee = models.CharField(max_length=ADDRESS)
    treasury = models.CharField(max_length=ADDRESS)
    standing = models.CharField(max_length=12, choices=Standing.choices)
    differs_in = models.CharField(max_length=200, default="", blank=True)
    seen_at_s = models.BigIntegerField()

    class Meta:
        ordering = ["-ledger", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "tx_hash", "buyer", "purchase_ref"], name="one_row_per_payment"
            ),
            models.CheckConstraint(
                condition=Q(standing__in=["matched", "unclaimed", "discrepancy"]),
                name="payment_standing_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.tx_hash


class GrantedToken(models.Model):
    """The token that was signed for a purchase, once."""

    purchase = models.OneToOneField(Purchase, models.PROTECT, related_name="granted")
    token = models.TextField()
    kid = models.CharField(max_length=64)
    expires_at_s = models.BigIntegerField()
    created_at_s = models.BigIntegerField()

    def __str__(self) -> str:
        return self.purchase_id


class IdempotentRequest(models.Model):
    """A claim on (buyer, key), and the answer once there is one."""

    buyer = models.CharField(max_length=ADDRESS)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=HEX_256)
    claimed_at_s = models.FloatField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.JSONField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["claimed_at_s"], name="request_to_forget")]
        constraints = [
            models.UniqueConstraint(fields=["buyer", "key"], name="one_request_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.buyer} {self.key}"


class EventCursor(models.Model):
    """How far the contract's events have been followed."""

    network = models.CharField(max_length=32)
    contract = models.CharField(max_length=ADDRESS)
    cursor = models.CharField(max_length=64, default="", blank=True)
    followed_ledger = models.BigIntegerField(default=0)
    looked_at_ms = models.BigIntegerField(default=0)
    leased_until_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "contract"], name="one_cursor_per_contract"),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.followed_ledger}"
