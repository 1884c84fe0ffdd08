"""What a service's own host shows to a browser: its page and its reference. Links lead to the site.

Asked for by the gate where no route answers, so without a request, and seldom.
"""

from django.template.loader import render_to_string

from marketplace import describing, importing
from marketplace.context import site
from marketplace.endpoints import endpoints
from marketplace.models import Service
from marketplace.offered import with_prices
from marketplace.presenting import ENDPOINTS_SHOWN, row_of
from marketplace.showing import gate_address, route_plans


def front_page(slug: str, path: str, origin: str) -> bytes | None:
    gated = Service.objects.gated().select_related("provider__proof", "category")
    service = gated.filter(slug=slug).exclude(visibility=Service.Visibility.MEMBERS).first()
    if service is None:
        return None
    shown: dict[str, object] = {**site(None), "origin": origin, "service": service}
    if path != "/":
        return render_to_string("marketplace/reference.html", shown).encode()
    sold = with_prices(service)
    found = endpoints(sold, importing.current(service))
    shown |= {
        "address": gate_address(service),
        "description": describing.html(service.description),
        "routes": [route_plans(service, route, prices) for route, prices in sold],
        "endpoints": [row_of(service, each) for each in found[:ENDPOINTS_SHOWN]],
    }
    return render_to_string("marketplace/front.html", shown).encode()
