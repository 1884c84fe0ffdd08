"""Signs what is on sale: once per version and slot of time, whoever asks and however often.

A quote expires at a moment that its slot fixes, and ed25519 is deterministic: two processes that
sign the same version in the same slot make the same bytes, and the second one's row is not kept.
So there is nothing to lock, and a quote that anybody was ever given is found again by its digest.
"""

import re
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse

from gateway.domain import ed25519
from marketplace.domain import quotes
from marketplace.domain.quotes import JsonObject, SignedQuote
from marketplace.models import Quote, Route, RouteQuote, Service

PUBLISHED = RouteQuote.State.PUBLISHED
MEMBERS = Service.Visibility.MEMBERS
DIGEST = re.compile(r"[0-9a-f]{64}")
SERVICES_AT_ONCE = 100
SLOT_SECONDS = 300
VALID_AFTER_SLOT_SECONDS = 900


class UnknownRoute(LookupError):
    """No such route is on sale."""


class NoQuoteKey(RuntimeError):
    """This process has no quote key, so it sells nothing."""


def document(route_id: str, now_s: float, *, to_members: bool = False) -> JsonObject:
    """The signed quote document of protocol §1, of one route."""
    if quotes.ROUTE.fullmatch(route_id) is None:
        raise UnknownRoute(route_id)
    prices = list(on_sale(route_id, to_members=to_members))
    if not prices and not _exists(route_id, to_members=to_members):
        raise UnknownRoute(route_id)
    return _document(prices, now_s)


def listed(after: str, now_s: float) -> JsonObject:
    """The same of the listed services that follow `after`, by slug, so many at a time."""
    slugs = Service.objects.listed().filter(slug__gt=after.replace("\0", "")).order_by("slug")
    some = list(slugs.values_list("slug", flat=True)[: SERVICES_AT_ONCE + 1])
    shown = some[:SERVICES_AT_ONCE]
    prices = _prices().filter(route__service__slug__in=shown)
    path = reverse("marketplace:quotes")
    more = {"next": f"{settings.ORIGIN}{path}?after={shown[-1]}"} if len(some) > len(shown) else {}
    return _document(prices, now_s) | more


def _document(prices: Iterable[RouteQuote], now_s: float) -> JsonObject:
    chain = settings.CHAIN
    return {
        "issuer": settings.ORIGIN,
        "network": chain.name,
        "passphrase": chain.passphrase,
        "contract": chain.contract,
        "signer": signer_public_key().hex(),
        "quotes": [quote.to_json() for quote in sign_all(prices, now_s)],
    }


def on_sale(route_id: str, *, to_members: bool = False) -> Iterable[RouteQuote]:
    """What is for members is on sale `to_members` alone: the caller knows who asks."""
    service, _, route = route_id.partition("/")
    prices = _prices().filter(route__slug=route, route__service__slug=service)
    return prices if to_members else prices.exclude(route__service__visibility=MEMBERS)


def _prices() -> "QuerySet[RouteQuote]":
    prices = RouteQuote.objects.on_sale().select_related("route__service__provider")
    return prices.order_by("route__service__slug", "route__slug", "amount", "name")


def signed(version: RouteQuote, now_s: float) -> SignedQuote:
    """The quote of one published version, as everybody else gets it in this slot."""
    return sign_all([version], now_s)[0]


def sign_all(prices: Iterable[RouteQuote], now_s: float) -> list[SignedQuote]:
    versions = list(prices)
    if off_sale := [str(version) for version in versions if version.state != PUBLISHED]:
        raise ValueError(f"Only what is on sale is quoted, not {off_sale}.")
    signer = signer_public_key().hex()
    slot = int(now_s) // SLOT_SECONDS * SLOT_SECONDS
    kept = {
        (row.route_quote_id, row.payee): quotes.from_json(row.body)
        for row in Quote.objects.filter(
            route_quote__in=versions, slot=slot, contract=settings.CHAIN.contract, signer=signer
        )
    }
    answer, fresh = [], []
    for version in versions:
        quote = kept.get((version.pk, version.route.service.provider.payout_address))
        if quote is None:
            quote = _sign(version, slot)
            fresh.append(_row(version, slot, signer, quote))
        answer.append(quote)
    if fresh:
        Quote.objects.bulk_create(fresh, ignore_conflicts=True)
    return answer


def sign_gift(version: RouteQuote, now_s: float) -> SignedQuote:
    """The same for nothing. It is not kept, so nobody can be asked for it by its digest."""
    slot = int(now_s) // SLOT_SECONDS * SLOT_SECONDS
    return _sign(version, slot, amount=0)


def find(digest: str) -> SignedQuote | None:
    if DIGEST.fullmatch(digest) is None:
        return None
    row = Quote.objects.filter(digest=digest).first()
    return None if row is None else quotes.from_json(row.body)


def signer_public_key() -> bytes:
    return ed25519.public_key(_seed())


def signer_public_keys() -> tuple[bytes, ...]:
    """Ours, and those that were before it: what they signed and sold is still owed."""
    return signer_public_key(), *settings.FORMER_QUOTE_KEYS


def _seed() -> bytes:
    if settings.QUOTE_KEY_SEED is None:
        raise NoQuoteKey
    return bytes.fromhex(settings.QUOTE_KEY_SEED.reveal())


def _sign(version: RouteQuote, slot: int, amount: int | None = None) -> SignedQuote:
    asset = settings.CHAIN.assets[version.asset]
    payee = version.route.service.provider.payout_address
    quote = quotes.Quote(
        route=version.route.identifier,
        name=version.name,
        amount=version.amount if amount is None else amount,
        asset=asset.code,
        asset_issuer=asset.issuer,
        sac=asset.sac,
        payee=payee,
        fee=0,
        treasury=payee,
        access_seconds=version.access_seconds,
        starts="first_use" if version.starts == RouteQuote.Starts.FIRST_USE else "purchase",
        charge="always" if version.charge == RouteQuote.Charge.ALWAYS else "success",
        adjustable=version.adjustable,
        meter=version.meter,
        limits=tuple(version.limits),
        expires_at=slot + SLOT_SECONDS + VALID_AFTER_SLOT_SECONDS,
    )
    return quotes.sign(quote, settings.CHAIN, _seed())


def _row(version: RouteQuote, slot: int, signer: str, quote: SignedQuote) -> Quote:
    return Quote(
        route_quote=version,
        slot=slot,
        payee=quote.payee,
        contract=settings.CHAIN.contract,
        signer=signer,
        digest=quote.digest,
        expires_at=quote.expires_at,
        body=quote.to_json(),
    )


def _exists(route_id: str, *, to_members: bool) -> bool:
    service, _, route = route_id.partition("/")
    known = Route.objects.standing().filter(slug=route, service__slug=service)
    hidden = Q(service__state="draft")
    if not to_members:
        hidden |= Q(service__visibility=MEMBERS)
    return known.exclude(hidden).exists()
