"""What a provider is told of its shop: by its servers, and by mail where somebody has to act.

Each is told once. A `ShopNotice` row says that it was; it outlives the messages themselves.
"""

from collections.abc import Mapping

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import Purchase, ShopNotice
from billing.webhooks import announcing
from gateway.domain.limits import Quota
from marketplace.models import Provider, Service

SOLD = "sale.granted"
ASKED = "refund.asked"
USED_UP = "grant.used_up"
ENDED = "grant.ended"
DOWN = "service.down"
UP = "service.up"
EVENTS: dict[str, str | Promise] = {
    SOLD: _("something is sold"),
    ASKED: _("a buyer asks for a refund"),
    USED_UP: _("a limit of a grant is used up"),
    ENDED: _("a grant ends"),
    DOWN: _("a service does not answer"),
    UP: _("it answers again"),
}
EXPIRED, WITHDRAWN, REFUNDED = "expired", "withdrawn", "refunded"


def sold(purchase: Purchase, *, now_s: float) -> None:
    """In the transaction that grants it."""
    provider = provider_of(purchase)
    if provider is None:
        return
    content = {
        **_grant(purchase),
        "amount": str(purchase.amount),
        "asset": purchase.asset_code,
        "buyer": purchase.buyer,
        "transaction": purchase.paid_tx_hash,
    }
    key = f"{SOLD}:{purchase.pk}"
    announcing.announce(provider, SOLD, content, key=key, now_s=now_s)


def used_up(
    provider: Provider, purchase: Purchase, index: int, limit: Quota, *, now_s: float
) -> bool:
    said = {"kind": limit.kind, "total": limit.total, "window_seconds": limit.window_seconds}
    content = {**_grant(purchase), "limit": said}
    return _once(provider, USED_UP, f"{purchase.pk}:{index}", content, now_s=now_s)


def ended(purchase: Purchase, *, because: str, at_s: float, now_s: float) -> bool:
    provider = provider_of(purchase)
    if provider is None:
        return False
    content = {**_grant(purchase), "because": because, "ended_at": int(at_s)}
    return _once(provider, ENDED, purchase.pk, content, now_s=now_s)


def provider_of(purchase: Purchase) -> Provider | None:
    return providers_of([purchase]).get(purchase.pk)


def providers_of(purchases: list[Purchase]) -> dict[str, Provider]:
    """By grant. A purchase belongs to the shop whose route it names."""
    slugs = {purchase.pk: purchase.route.partition("/")[0] for purchase in purchases}
    services = Service.objects.filter(slug__in=set(slugs.values())).select_related(
        "provider__owner"
    )
    owners = {service.slug: service.provider for service in services}
    return {pk: owners[slug] for pk, slug in slugs.items() if slug in owners}


def _grant(purchase: Purchase) -> dict[str, object]:
    return {"grant": purchase.pk, "route": purchase.route, "plan": purchase.quote.get("name", "")}


@transaction.atomic
def _once(
    provider: Provider, event: str, subject: str, content: Mapping[str, object], *, now_s: float
) -> bool:
    _row, is_first = ShopNotice.objects.get_or_create(
        provider=provider, event=event, subject=subject, defaults={"told_at_s": int(now_s)}
    )
    if is_first:
        announcing.announce(provider, event, content, key=f"{event}:{subject}", now_s=now_s)
    return is_first
