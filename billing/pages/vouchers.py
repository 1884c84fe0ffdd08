"""Where a voucher's code becomes a grant: /vouchers/. What is signed is on the purchase's page."""

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from billing import conf, vouchers
from billing.api.endpoint import client_network
from billing.domain.errors import BadRequest, BillingError
from billing.models import Purchase
from billing.pages import addresses
from billing.pages.checkout import access_key_of, remember

CODE_LENGTH_MAX = 40


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def redeem(request: HttpRequest) -> HttpResponse:
    asked = request.POST if request.method == "POST" else request.GET
    code, buyer = asked.get("code", "")[:CODE_LENGTH_MAX], asked.get("buyer", "").strip()[:56]
    problem: BillingError | None = None
    if request.method == "POST":
        try:
            purchase = _redeem(request, code, buyer)
        except BillingError as error:
            problem = error
        else:
            remember(request, purchase)
            return redirect(addresses.path(purchase.pk))
    chain = conf.conf().chain
    page = {"passphrase": chain.passphrase, "now": int(time.time()), "expires_at": None}
    context = {
        "code": code,
        "buyer": buyer,
        "problem": problem,
        "chain": chain,
        "page": page | {"asset": None, "sandbox": chain.is_sandbox},
    }
    status = 200 if problem is None else problem.status
    return render(request, "billing/vouchers.html", context, status=status)


def _redeem(request: HttpRequest, code: str, buyer: str) -> Purchase:
    if not conf.rail().is_account(buyer):
        raise BadRequest("The account is a Stellar address: G and 55 more letters and digits.")
    key = access_key_of(request.POST, buyer)
    return vouchers.redeem(code, buyer, key, client_network(request), now_s=time.time())
