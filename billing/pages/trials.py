"""Hands a trial to whoever tries a service out, on the page or to its script."""

import time
from dataclasses import replace

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from billing import trials
from billing.api.endpoint import client_network
from billing.domain.errors import BillingError
from marketplace import importing
from marketplace.endpoints import endpoints
from marketplace.models import Service
from marketplace.offered import gated, with_prices
from marketplace.trying import page


@require_POST
@sensitive_variables("trial")
def trial(request: HttpRequest, slug: str) -> HttpResponse:
    service, visit = gated(slug), page.visit_of(request)
    wants_json = "application/json" in request.headers.get("accept", "")
    try:
        found = trials.start(_route(request, service), client_network(request), now_s=time.time())
    except BillingError as exc:
        if wants_json:
            return JsonResponse({"problem": str(exc)}, status=exc.status)
        return page.show(request, service, replace(visit, problem=str(exc), status=exc.status))
    if wants_json:
        told = {"token": found.token, "words": found.words, "expires_at": found.expires_at}
        return JsonResponse(told, headers={"Cache-Control": "no-store"})
    return page.show(request, service, replace(visit, token=found.token, trial=found.words))


def _route(request: HttpRequest, service: Service) -> str:
    found = endpoints(with_prices(service), importing.current(service))
    chosen = page.chosen_of(found, request.POST.get("operation", ""))
    return chosen.route.identifier if chosen is not None else ""
