"""What buyers were told of their grants, and what they want to be told."""

from django.conf import settings
from django.db import models

from billing.domain.notices import BEFORE_END_S, PERCENTS
from billing.models.purchases import Purchase


def everything() -> list[int]:
    return [*PERCENTS, *BEFORE_END_S]


class NoticeChoice(models.Model):
    """Percentages and seconds before the end. Without a row: all of them, by mail."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+"
    )
    by_mail = models.BooleanField(default=True)
    wanted = models.JSONField(default=everything)

    def __str__(self) -> str:
        return str(self.user_id)


class Notice(models.Model):
    """One thing that one user was told of one grant: `what` names limit, window and moment."""

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    what = models.CharField(max_length=60)
    told_at_s = models.BigIntegerField()

    class Meta:
        ordering = ["-told_at_s", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "user", "what"], name="told_once_of_a_grant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id[:12]}… {self.what}"


class FirstUsesSeen(models.Model):
    """Until when first uses of grants have been looked at: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    until_s = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_first_uses_seen"),
        ]

    def __str__(self) -> str:
        return str(self.until_s)
