"""What a provider is told of its shop: by its servers, and by mail where somebody has to act.

Each is told once. A `ShopNotice` row says that it was; it outlives the messages themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


def used_up(exhausted: Iterable[tuple[Purchase, int, Quota]], *, now_s: float) -> None:
    """Of each purchase the number of the limit, and the limit."""
    facts = [
        _Fact(purchase, f"{purchase.pk}:{index}", {"limit": _limit(limit)})
        for purchase, index, limit in exhausted
    ]
    _tell_once(USED_UP, facts, now_s=now_s)


def ended(ends: Iterable[tuple[Purchase, float]], *, because: str, now_s: float) -> None:
    """Of each purchase the moment at which its grant ended."""
    facts = [
        _Fact(purchase, purchase.pk, {"because": because, "ended_at": int(at_s)})
        for purchase, at_s in ends
    ]
    _tell_once(ENDED, facts, now_s=now_s)


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


def _limit(limit: Quota) -> dict[str, object]:
    return {"kind": limit.kind, "total": limit.total, "window_seconds": limit.window_seconds}


@dataclass(frozen=True, slots=True)
class _Fact:
    purchase: Purchase
    subject: str
    content: Mapping[str, object]


@transaction.atomic
def _tell_once(event: str, facts: Sequence[_Fact], *, now_s: float) -> None:
    """As few questions for many as for one. Who has nobody to be told is left out."""
    providers = providers_of([fact.purchase for fact in facts])
    endpoints = announcing.wanting(providers.values(), event) if providers else {}
    before = ShopNotice.objects.filter(event=event, subject__in=[fact.subject for fact in facts])
    known = set(before.values_list("provider", "subject")) if endpoints else set()
    fresh: dict[int, list[_Fact]] = {}
    # In one order, so that two who tell at once wait for each other, not both.
    for fact in sorted(facts, key=lambda fact: fact.subject):
        provider = providers.get(fact.purchase.pk)
        if provider and provider.pk in endpoints and (provider.pk, fact.subject) not in known:
            fresh.setdefault(provider.pk, []).append(fact)
    rows = [
        ShopNotice(provider_id=pk, event=event, subject=fact.subject, told_at_s=int(now_s))
        for pk, whose in fresh.items()
        for fact in whose
    ]
    ShopNotice.objects.bulk_create(rows, ignore_conflicts=True)
    for pk, whose in fresh.items():
        contents = {
            f"{event}:{fact.subject}": {**_grant(fact.purchase), **fact.content} for fact in whose
        }
        announcing.tell(endpoints[pk], event, contents, now_s=now_s)
