"""From a granted purchase to the page that was asked for, with the token as that host's cookie."""

import re
import time
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from billing import handing_over
from billing.domain.errors import BillingError
from billing.domain.purchases import State
from billing.handing_over import Place
from billing.models import Purchase
from billing.pages import addresses, wording
from billing.pages.offering import Shelf, shelf
from billing.pages.purchase import known
from marketplace.models import Route

COOKIE_PATH = re.compile(r"/[A-Za-z0-9/._~%!$&'()*+,=:@-]*")


@require_http_methods(["GET", "POST"])
@known
def hand_over(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    """A page that leads on by itself: a form may not end on another host."""
    now_s = time.time()
    found = shelf(purchase.route, now_s)
    back = found.way_back(request.POST.get("return", "")) if found else ""
    is_ready = purchase.state == State.GRANTED and back
    if request.method != "POST" or not is_ready or found is None:
        return redirect(addresses.path(purchase.pk, back=back))
    try:
        token = request.POST.get("token", "").strip()
        onward = handing_over.give(purchase, token, _place(found, back), now_s=now_s)
    except BillingError as error:
        context = {"what": wording.trouble(error.slug), "said": error.detail, "onward": ""}
        context["purchase_page"] = addresses.path(purchase.pk, back=back)
        return render(request, "billing/hand_over.html", context, status=error.status)
    return render(request, "billing/hand_over.html", {"onward": onward, "host": found.place()[0]})


def _place(found: Shelf, back: str) -> Place:
    origin, base = found.place()
    slug, _, route_slug = found.route.identifier.partition("/")
    route = Route.objects.standing().get(service__slug=slug, slug=route_slug)
    path = f"{base}{quote(route.path, safe='/%')}".rstrip("/") or "/"
    return Place(origin, base, path if COOKIE_PATH.fullmatch(path) else base or "/", back)
