"""A purchase's own page: what to sign, how far it is, and in the end its grant.

It is rendered from the row alone, so it may be closed and opened again, here or on another device.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from billing import authorizing, conf, instructing, orders, receipts
from billing.api import bodies
from billing.api.endpoint import ID
from billing.domain import freebies
from billing.domain.errors import BillingError
from billing.domain.purchases import ENDS, PAID, State
from billing.models import GrantedToken, Purchase
from billing.pages import addresses, drawing, wording
from billing.pages.offering import Shelf, shelf
from billing.rails.port import SignatureOffered
from gateway.domain.limits import parse_limits
from marketplace import quoting
from marketplace.domain import plans, quotes

View = Callable[..., HttpResponse]
LEFT_SECONDS_MIN = 1
REFRESH_SECONDS = 3


def known(view: View) -> View:
    """For whoever has the address: the id alone opens nothing."""

    @wraps(view)
    def answered(request: HttpRequest, purchase_id: str, secret: str) -> HttpResponse:
        if not ID.fullmatch(purchase_id) or not addresses.is_secret(purchase_id, secret):
            raise Http404
        purchase = Purchase.objects.select_related("granted").filter(pk=purchase_id).first()
        if purchase is None:
            raise Http404
        return view(request, purchase)

    return never_cache(answered)


@known
@require_safe
def page(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    return _render(request, purchase)


@require_http_methods(["GET", "POST"])
@known
def sign(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    """The pasted signature. It opened with GET leads back to the page."""
    back = request.POST.get("return", "")
    if request.method == "POST":
        try:
            signature = bodies.decoded(request.POST.get("signature", "").strip(), "signature")
            offered = SignatureOffered(purchase.buyer, signature)
            authorizing.authorize(purchase.pk, offered, now_s=time.time())
        except BillingError as error:
            purchase.refresh_from_db()
            return _render(request, purchase, error)
    return redirect(addresses.path(purchase.pk, back=back))


@known
@require_safe
def instruction(_request: HttpRequest, purchase: Purchase) -> JsonResponse:
    """What to sign with what was agreed, for a program that checks before it signs."""
    return JsonResponse(_agreed(purchase))


def granted_token(purchase: Purchase) -> GrantedToken | None:
    return getattr(purchase, "granted", None)


def _render(
    request: HttpRequest, purchase: Purchase, error: BillingError | None = None
) -> HttpResponse:
    now_s = time.time()
    found = shelf(purchase.route, now_s)
    state = State(purchase.state)
    back = (request.POST or request.GET).get("return", "")
    ran_out = state is State.INSTRUCTED and purchase.expires_at_s < now_s + LEFT_SECONDS_MIN
    context = {
        "purchase": purchase,
        "state": state.value,
        "shelf": found,
        "agreed": _in_words(purchase),
        "chain": conf.conf().chain,
        "steps": steps(purchase),
        "signable": state is State.INSTRUCTED and not ran_out,
        "under_way": state not in ENDS and state is not State.GRANTED,
        "refreshes": REFRESH_SECONDS if _moves(state) else 0,
        "submitted": state is State.SUBMITTED,
        "trouble": _trouble(purchase, error, ran_out=ran_out),
        "already": request.GET.get("already") == "1",
        "again": addresses.checkout(purchase.route, purchase.quote["name"], back=back),
        "back": found.way_back(back) if found else "",
        "own_address": addresses.url(purchase.pk, back=back),
        "page": _for_scripts(purchase, found),
        "granted": granted_token(purchase),
        "secret": addresses.secret(purchase.pk),
        "receipt": addresses.path(purchase.pk, "receipt"),
        "explorer": receipts.explorer_link(purchase.paid_tx_hash),
        "hand_over": addresses.path(purchase.pk, "hand-over"),
        "sign_path": addresses.path(purchase.pk, "sign"),
        "instruction_url": addresses.url(purchase.pk, "instruction"),
    }
    if context["signable"]:
        context["phone"] = drawing.qr(str(context["own_address"]))
        if not purchase.amount:
            context["wallet_text"] = freebies.wallet_text(bytes.fromhex(purchase.signing_hash))
    return render(request, "billing/purchase.html", context, status=error.status if error else 200)


def _moves(state: State) -> bool:
    return state in {State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED}


def steps(purchase: Purchase) -> list[dict[str, str]]:
    """The way of a purchase, as far as it has come."""
    state = State(purchase.state)
    order = [State.INSTRUCTED, State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED, State.GRANTED]
    free = purchase.amount == 0
    words = {
        State.INSTRUCTED: _("Quote fixed"),
        State.AUTHORIZED: _("Authorised by your signature"),
        State.SUBMITTED: _("Submitted to the network"),
        State.CONFIRMED: (
            _("Paid in ledger %(ledger)s") % {"ledger": f"{purchase.paid_ledger:,}"}
            if purchase.paid_ledger
            else _("Paid in a ledger")
        ),
        State.GRANTED: _("Access granted"),
    }
    shown = [each for each in order if not free or each not in {State.SUBMITTED, State.CONFIRMED}]
    reached = _reached(purchase, state)
    return [
        {
            "state": each.value,
            "words": words[each],
            "mark": "done" if order.index(each) <= reached else "to come",
        }
        for each in shown
    ]


def _reached(purchase: Purchase, state: State) -> int:
    order = [State.INSTRUCTED, State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED, State.GRANTED]
    if state in order:
        return order.index(state)
    return 1 if purchase.authorized_at_s else 0


def _trouble(
    purchase: Purchase, error: BillingError | None, *, ran_out: bool
) -> dict[str, object] | None:
    if error is not None:
        return {"what": wording.trouble(error.slug), "said": error.detail}
    if purchase.state in ENDS:
        return {"what": wording.trouble(purchase.problem), "said": purchase.problem_detail}
    if ran_out:
        return {"what": wording.trouble("quote-expired"), "said": ""}
    return None


def _in_words(purchase: Purchase) -> dict[str, object]:
    quote = orders.quote_of(purchase)
    return {
        "name": quote.name,
        "price": plans.show_amount(quote.amount),
        "plain_price": plans.show_amount(quote.amount).replace(",", ""),
        "asset": quote.asset,
        "is_free": quote.amount == 0,
        "base_units": f"{quote.amount:,}",
        "payee": quote.payee,
        "fee": plans.show_amount(quote.fee) if quote.fee else "",
        "duration": plans.show_duration(quote.access_seconds),
        "limits": [limit.words() for limit in parse_limits(list(quote.limits))],
        "expires_at": datetime.fromtimestamp(quote.expires_at, UTC),
    }


def _for_scripts(purchase: Purchase, found: Shelf | None) -> dict[str, Any]:
    granted = granted_token(purchase)
    paid = purchase.state in PAID
    return {
        **_agreed(purchase),
        "state": purchase.state,
        "now": int(time.time()),
        "sandbox": conf.conf().chain.is_sandbox,
        "socket": "" if purchase.state in ENDS else addresses.socket_path(purchase.pk),
        "authorization": f"{instructing.status_url(purchase.pk)}/authorization",
        "address": found.route.address if found else "",
        "grant": granted.token if granted and paid else None,
        "grant_expires_at": granted.expires_at_s if granted else None,
    }


def _agreed(purchase: Purchase) -> dict[str, Any]:
    chain = conf.conf().chain
    quote = orders.quote_of(purchase)
    signer = quotes.signer_of(quote, quoting.signer_public_keys())
    return {
        "id": purchase.pk,
        "buyer": purchase.buyer,
        "access_key": purchase.access_key,
        "network": chain.name,
        "passphrase": chain.passphrase,
        "contract": chain.contract,
        "signer": (signer or quoting.signer_public_key()).hex(),
        "quote": purchase.quote,
        "instruction": instructing.answer(purchase),
    }
