"""What a provider's servers are told of its shop."""

from billing.models import Purchase
from billing.webhooks import announcing
from marketplace.models import Service

SOLD = "sale.granted"
ASKED = "refund.asked"
EVENTS = (SOLD, ASKED)


def sold(purchase: Purchase, *, now_s: float) -> None:
    """In the transaction that grants it."""
    slug = purchase.route.partition("/")[0]
    service = Service.objects.filter(slug=slug).select_related("provider").first()
    if service is None:
        return
    content = {
        "grant": purchase.pk,
        "route": purchase.route,
        "plan": purchase.quote["name"],
        "amount": str(purchase.amount),
        "asset": purchase.asset_code,
        "buyer": purchase.buyer,
        "transaction": purchase.paid_tx_hash,
    }
    key = f"{SOLD}:{purchase.pk}"
    announcing.announce(service.provider, SOLD, content, key=key, now_s=now_s)
