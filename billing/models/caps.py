"""What a person allows to be spent."""

from django.conf import settings
from django.db import models


class SpendingCap(models.Model):
    """In any thirty days, of one asset, by a user of the site with all wallets of theirs."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asset = models.CharField(max_length=56)  # Its contract: a code may be another's, too.
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "asset"], name="one_cap_of_an_asset"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="cap_is_not_below_nothing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.amount} of {self.asset}"
