"""How often a plan was bought lately: counted by whoever sold it, kept for the page."""

from django.db import models

from marketplace.models.prices import RouteQuote


class PlanDemand(models.Model):
    """Of a plan that is on sale; what its earlier versions sold counts, too."""

    price = models.OneToOneField(
        RouteQuote, on_delete=models.CASCADE, related_name="demand", primary_key=True
    )
    sold = models.PositiveIntegerField(help_text="Paid for in the last 30 days.")

    def __str__(self) -> str:
        return f"{self.sold} of {self.price_id}"
