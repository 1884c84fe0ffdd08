"""Receipts of purchases that were granted, made from rows that do not change any more."""

from dataclasses import dataclass

from billing import conf, granting, keys, orders
from billing.domain import receipts
from billing.domain.receipts import Names, Paid
from billing.models import Purchase
from gateway.domain import ed25519, jws
from gateway.domain.limits import parse_limits
from marketplace.models import Quote, Route


@dataclass(frozen=True, slots=True)
class Receipt:
    document: dict[str, object]
    signed: str


def receipt_of(purchase: Purchase) -> Receipt:
    """Of a purchase that is granted."""
    quote = orders.quote_of(purchase)
    document = receipts.document(
        issuer=conf.conf().origin,
        buyer=purchase.buyer,
        quote=quote,
        names=_names(purchase),
        grant=granting.grant_of(purchase).claims(),
        paid=_paid(purchase),
    )
    signing_input = receipts.signing_input(document, keys.ensure_registered())
    signature = ed25519.sign(conf.grant_seed(), signing_input)
    return Receipt(document, jws.assemble(signing_input, signature))


def explorer_link(tx_hash: str) -> str:
    """Where strangers can look at a payment; empty where there is no such place."""
    template = conf.conf().explorer
    return template.replace("{transaction}", tx_hash) if tx_hash else ""


def _names(purchase: Purchase) -> Names:
    slug, _, route_slug = purchase.route.partition("/")
    routes = Route.objects.select_related("service__provider")
    route = routes.filter(service__slug=slug, slug=route_slug).first()
    kept = Quote.objects.select_related("route_quote").filter(digest=purchase.digest).first()
    limits = parse_limits(purchase.quote["limits"])
    return Names(
        service=route.service.name if route else slug,
        provider=route.service.provider.name if route else "",
        limits=[limit.words() for limit in limits],
        version=kept.route_quote.version if kept else None,
    )


def _paid(purchase: Purchase) -> Paid | None:
    if not purchase.amount or purchase.paid_ledger is None or purchase.paid_at_s is None:
        return None
    return Paid(
        purchase.network,
        purchase.contract,
        purchase.paid_tx_hash,
        purchase.paid_ledger,
        purchase.paid_at_s,
    )
