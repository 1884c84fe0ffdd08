"""An access token on its way from the console to the host of the gate that it opens."""

from django.db import models

from billing.models.purchases import HEX_256, Purchase


class HandOver(models.Model):
    """Found by the hash of its code, which is told to one browser; deleted when it is exchanged."""

    code_hash = models.CharField(primary_key=True, max_length=HEX_256)
    purchase = models.ForeignKey(Purchase, models.CASCADE, related_name="+")
    origin = models.CharField(max_length=200)
    base = models.CharField(max_length=200, blank=True)
    cookie_path = models.CharField(max_length=1000)
    back = models.CharField(max_length=2048)
    token = models.TextField()
    token_expires_at_s = models.BigIntegerField()
    expires_at_s = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return self.purchase_id
