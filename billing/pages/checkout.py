"""Choosing a plan and a way to pay: /checkout/<service>/<route>/.

A purchase is made by a form, so it needs no script; scripts only fill in who buys, and with which
access key. Nobody has to be logged in: the session remembers what this browser began.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from billing import capping, conf, instructing
from billing.api import bodies
from billing.api.endpoint import client_network
from billing.domain.errors import BadRequest, BillingError, QuoteExpired, QuoteInvalid
from billing.domain.purchases import ENDS, SETTLED, State
from billing.instructing import Wish
from billing.models import Purchase
from billing.pages import addresses, drawing, wording
from billing.pages.offering import Offer, Shelf, shelf
from marketplace.domain.quotes import SignedQuote

BEGUN = "purchases"
BEGUN_MAX = 20


class AlreadyBought(Exception):
    def __init__(self, purchase: Purchase) -> None:
        super().__init__(purchase.pk)
        self.purchase = purchase


@dataclass(frozen=True, slots=True)
class Failed:
    """What the form said, and why nothing came of it."""

    error: BillingError
    buyer: str


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest, slug: str, route_slug: str) -> HttpResponse:
    now_s = time.time()
    found = shelf(f"{slug}/{route_slug}", now_s)
    if found is None:
        raise Http404
    asked = request.POST if request.method == "POST" else request.GET
    back = found.way_back(asked.get("return", ""))
    failed = None
    if request.method == "POST":
        try:
            purchase = _begin(request, found, now_s=now_s)
        except AlreadyBought as bought:
            address = addresses.path(bought.purchase.pk, back=back)
            return redirect(f"{address}{'&' if back else '?'}already=1")
        except BillingError as error:
            failed = Failed(error, asked.get("buyer", "").strip()[:56])
        else:
            remember(request, purchase)
            return redirect(addresses.path(purchase.pk, back=back))
    context = {
        **_choice(found, asked, back=back, now_s=now_s),
        **_failure(failed, found.chosen(asked.get("plan", "")), asked),
        "under_way": _under_way(request, found.route.identifier),
    }
    status = 200 if failed is None else failed.error.status
    return render(request, "billing/checkout.html", context, status=status)


def _choice(
    found: Shelf, asked: Mapping[str, str], *, back: str, now_s: float
) -> dict[str, object]:
    offer = found.chosen(asked.get("plan", ""))
    chain = conf.conf().chain
    identifier = found.route.identifier
    own = addresses.checkout(identifier, offer.plan.name if offer else "", back=back)
    return {
        "service": found.service,
        "route": found.route,
        "offer": offer,
        "offers": [
            {
                "offer": each,
                "address": addresses.checkout(identifier, each.plan.name, back=back),
                "chosen": each is offer,
            }
            for each in found.offers
        ],
        "chain": chain,
        "back": back,
        "requoted": asked.get("requoted") == "1",
        "own_address": own,
        "phone": drawing.qr(f"{conf.conf().origin}{own}") if offer else "",
        # Money is needed for nothing here, so the page can make the account, too.
        "with_page_key": chain.is_sandbox or (offer is not None and offer.quote.amount == 0),
        "anchors": settings.ANCHORS,
        "page": _for_scripts(offer, now_s=now_s),
    }


def _for_scripts(offer: Offer | None, *, now_s: float) -> dict[str, Any]:
    chain = conf.conf().chain
    quote = None if offer is None else offer.quote
    return {
        "passphrase": chain.passphrase,
        "now": int(now_s),
        "expires_at": None if quote is None else quote.expires_at - instructing.LEFT_SECONDS_MIN,
        "asset": None if quote is None or not quote.amount else quote.asset,
        "sandbox": chain.is_sandbox,
    }


def _begin(request: HttpRequest, found: Shelf, *, now_s: float) -> Purchase:
    asked = request.POST
    buyer = asked.get("buyer", "").strip()
    if not conf.rail().is_account(buyer):
        raise BadRequest("The account is a Stellar address: G and 55 more letters and digits.")
    quote = instructing.quote_with(asked.get("digest", ""))
    if quote.route != found.route.identifier:
        raise QuoteInvalid("The quote is for another route.")
    if not any(offer.plan.name == quote.name for offer in found.offers):
        raise QuoteInvalid("This plan is not on sale any more.")
    if asked.get("again") != "1" and (bought := _bought(request, quote, buyer)):
        raise AlreadyBought(bought)
    if quote.amount and request.user.is_authenticated:
        # Of who is here alone: whose account `buyer` is has not been shown yet.
        caps = capping.caps_on(request.user.pk, "", quote.sac)
        capping.hold_to(caps, quote.amount, quote.asset, now_s=now_s)
    wish = Wish(quote, buyer, access_key_of(asked, buyer), client_network(request))
    # Sent twice, by a double click or by going back: the same purchase.
    own = Purchase.objects.filter(pk__in=request.session.get(BEGUN, []))
    return instructing.begun(wish, own, now_s=now_s) or instructing.instruct(wish, now_s=now_s)


def _bought(request: HttpRequest, quote: SignedQuote, buyer: str) -> Purchase | None:
    """What this browser has paid, or is paying, with this very quote."""
    begun = Purchase.objects.filter(pk__in=request.session.get(BEGUN, []))
    same = begun.filter(digest=quote.digest, buyer=buyer)
    return same.exclude(state__in=[State.INSTRUCTED, *ENDS]).first()


def access_key_of(asked: Mapping[str, str], buyer: str) -> bytes:
    given = asked.get("access_key", "")
    if not given:
        return conf.rail().account_key(buyer)
    key = bodies.decoded(given, "access_key")
    if len(key) != bodies.KEY_BYTES:
        raise BadRequest("The access key must have 32 bytes.")
    return key


def _failure(
    failed: Failed | None, offer: Offer | None, asked: Mapping[str, str]
) -> dict[str, object]:
    if failed is None:
        return {"buyer": "", "trouble": None}
    changed = offer is not None and asked.get("price", "") not in {"", str(offer.quote.amount)}
    return {
        "buyer": failed.buyer,
        "trouble": wording.trouble(failed.error.slug),
        "said": failed.error.detail,
        "slug": failed.error.slug,
        "price_changed": changed and isinstance(failed.error, QuoteExpired | QuoteInvalid),
    }


def remember(request: HttpRequest, purchase: Purchase) -> None:
    begun = [each for each in request.session.get(BEGUN, []) if each != purchase.pk]
    request.session[BEGUN] = [purchase.pk, *begun][:BEGUN_MAX]
    if request.user.is_authenticated:
        Purchase.objects.filter(pk=purchase.pk, owner=None).update(owner=request.user)


def _under_way(request: HttpRequest, route_id: str) -> str:
    """The page of a purchase that this browser has begun here and that is not settled."""
    begun = request.session.get(BEGUN, [])
    if not begun:
        return ""
    rows = Purchase.objects.filter(pk__in=begun, route=route_id).exclude(state__in=SETTLED)
    newest = rows.exclude(expires_at_s__lt=int(time.time()), authorized_at_s=None).first()
    return addresses.path(newest.pk) if newest else ""


@never_cache
@require_http_methods(["GET", "HEAD"])
def funds(request: HttpRequest) -> HttpResponse:
    """For who has no wallet, or nothing in it."""
    chain = conf.conf().chain
    context = {"chain": chain, "assets": chain.assets.values(), "anchors": settings.ANCHORS}
    return render(request, "billing/funds.html", context)
