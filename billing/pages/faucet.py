"""Play money for the test wallet of a page: the sandbox's friendbot, asked by the site itself."""

import time

import httpx
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from billing import conf, instructing
from billing.api.endpoint import client_network
from billing.api.problems import document
from billing.domain.errors import BadRequest, BillingError, NetworkUnavailable

PATIENCE_SECONDS = 35.0
ASKED_PER_NETWORK_MINUTE = 30


@require_POST
def friendbot(request: HttpRequest) -> JsonResponse:
    if not conf.conf().chain.is_sandbox:
        raise Http404
    try:
        network, now_s = client_network(request), time.time()
        instructing.check_often("friendbot", network, ASKED_PER_NETWORK_MINUTE, now_s=now_s)
        _fund(request.POST.get("account", ""), request.POST.get("asset", ""))
    except BillingError as error:
        return JsonResponse(document(error), status=error.status)
    return JsonResponse({"funded": True})


def _fund(account: str, asset: str) -> None:
    if not conf.rail().is_account(account):
        raise BadRequest("account: A Stellar account, G and 55 more characters.")
    if asset not in conf.conf().chain.assets:
        raise BadRequest("asset: Not one of this network.")
    address = f"{conf.conf().rpc_url.rstrip('/')}/friendbot"
    try:
        answer = httpx.get(
            address, params={"addr": account, "asset": asset}, timeout=PATIENCE_SECONDS
        )
    except httpx.TransportError as error:
        raise NetworkUnavailable("The sandbox does not answer.") from error
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise NetworkUnavailable("The sandbox's friendbot is busy.")
    if answer.status_code != httpx.codes.OK:
        raise BadRequest(str(answer.json().get("detail", "")))
