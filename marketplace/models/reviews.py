"""What buyers say of a service, and what its provider says of it."""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from marketplace.models.offering import Service

STARS_MAX = 5
TEXT_LENGTH_MAX = 2_000


class ReviewQuerySet(models.QuerySet["Review"]):
    def shown(self) -> Self:
        return self.filter(hidden_at=None)


class Review(models.Model):
    """One per buyer and service, by somebody who paid for a grant of it and used it."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="reviews")
    buyer = models.CharField(max_length=56, editable=False)
    grant = models.CharField(max_length=64, editable=False)
    stars = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(STARS_MAX)]
    )
    text = models.TextField(blank=True, max_length=TEXT_LENGTH_MAX)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(null=True, editable=False)
    reply = models.TextField(
        blank=True, max_length=TEXT_LENGTH_MAX, help_text="Your answer, shown below the review."
    )
    replied_at = models.DateTimeField(null=True, editable=False)
    hidden_at = models.DateTimeField(null=True, editable=False)
    hidden_because = models.CharField(max_length=200, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["service", "-id"], name="reviews_of_a_service")]
        constraints = [
            models.UniqueConstraint(name="one_review_a_buyer", fields=["service", "buyer"]),
            models.CheckConstraint(
                name="stars_in_range", condition=Q(stars__gte=1, stars__lte=STARS_MAX)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stars} of {STARS_MAX} by {self.author}"

    @property
    def author(self) -> str:
        """Enough of the account to tell two apart."""
        return f"{self.buyer[:4]}…{self.buyer[-4:]}"

    @property
    def was_changed(self) -> bool:
        return self.changed_at is not None


class ReviewReport(models.Model):
    """Somebody says that a review should not be there. Once for each network."""

    class Reason(models.TextChoices):
        ABUSE = "abuse", "It insults or threatens"
        SPAM = "spam", "It is advertising"
        PRIVATE = "private", "It tells what is private"
        FALSE = "false", "It is about something else"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="reports")
    reason = models.CharField(max_length=7, choices=Reason)
    client_network = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_report_a_network", fields=["review", "client_network"]
            ),
        ]

    def __str__(self) -> str:
        return self.get_reason_display()


class ServiceNote(models.Model):
    """A line of a service's changelog, by its provider; an incident stands above its page, too,
    until it is over."""

    class Kind(models.TextChoices):
        NOTE = "note", "A note in the changelog"
        INCIDENT = (
            "incident",
            "An incident: told at the head of the service's page until it is over",
        )

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="notes")
    title = models.CharField(max_length=140)
    text = models.TextField(blank=True, max_length=2_000)
    kind = models.CharField(
        max_length=8, choices=Kind, default=Kind.NOTE, db_default=Kind.NOTE.value
    )
    created_at = models.DateTimeField(auto_now_add=True)
    over_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "changelog note"
        ordering = [F("created_at").desc()]

    def __str__(self) -> str:
        return self.title
