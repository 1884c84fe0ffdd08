"""Codes that a provider hands out: so many uses of one version of a price, for nothing.

The code itself is kept nowhere, only its hash. That no use is given twice is the database's to say:
`uses` never exceeds `uses_max`, and a buyer redeems a code once.
"""

from django.db import models
from django.db.models import F, Q

from billing.models.purchases import ADDRESS, HEX_256, Purchase
from marketplace.models import Provider, RouteQuote

GIFT = "gift"


class Voucher(models.Model):
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="vouchers")
    price = models.ForeignKey(
        RouteQuote, models.PROTECT, related_name="vouchers", help_text="What it buys, for nothing."
    )
    digest = models.CharField(max_length=HEX_256, unique=True, editable=False)
    hint = models.CharField("code", max_length=8, editable=False)
    uses_max = models.PositiveIntegerField("uses", default=1, help_text="How many buyers.")
    uses = models.PositiveIntegerField("used", default=0, editable=False)
    until_s = models.BigIntegerField(editable=False)
    note = models.CharField(max_length=100, blank=True, help_text="For you: whom it is for.")
    created_at_s = models.BigIntegerField(editable=False)
    ended_at_s = models.BigIntegerField(null=True, editable=False)
    given_for = models.ForeignKey(
        Purchase, models.PROTECT, related_name="gifts", null=True, editable=False
    )  # Whose holder alone may take it; there is no code then.

    class Meta:
        ordering = ["-created_at_s", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(uses__lte=F("uses_max")) & Q(uses_max__gte=1),
                name="voucher_used_within_its_uses",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hint}…" if self.given_for_id is None else self.hint


class Redemption(models.Model):
    """Gone with a purchase that nobody signed: the use is given back then."""

    voucher = models.ForeignKey(Voucher, models.PROTECT, related_name="redemptions")
    purchase = models.OneToOneField(Purchase, models.CASCADE, related_name="redemption")
    buyer = models.CharField(max_length=ADDRESS)
    redeemed_at_s = models.BigIntegerField()

    class Meta:
        ordering = ["-redeemed_at_s"]
        constraints = [
            models.UniqueConstraint(fields=["voucher", "buyer"], name="one_redemption_a_buyer"),
        ]

    def __str__(self) -> str:
        return self.purchase_id
