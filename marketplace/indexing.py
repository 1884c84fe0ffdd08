"""The catalogue and its services in schema.org's words, for whoever reads pages by machine.

Addresses are those of `settings.ORIGIN`, whatever host asked.
"""

import json
from collections.abc import Iterable

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from marketplace.models import Service
from marketplace.showing import RoutePlans

ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


def catalogue_data() -> SafeString:
    """What the site is, and how it is searched."""
    search = {
        "@type": "SearchAction",
        "target": f"{settings.ORIGIN}/?q={{search_term_string}}",
        "query-input": "required name=search_term_string",
    }
    return _script(
        {
            "@context": "https://schema.org",
            "@type": "WebSite",
            "name": "ApiCharge",
            "url": settings.ORIGIN + "/",
            "potentialAction": search,
        }
    )


def linked_data(service: Service, routes: Iterable[RoutePlans], url: str) -> SafeString:
    return _script(
        {
            "@context": "https://schema.org",
            "@type": "WebAPI",
            "name": service.name,
            "description": service.tagline,
            "url": settings.ORIGIN + url,
            "documentation": f"{settings.ORIGIN}{url}openapi.json",
            "provider": {"@type": "Organization", "name": service.provider.name},
            "dateModified": service.updated_at.isoformat(),
            "offers": [
                {
                    "@type": "Offer",
                    "name": f"{route.name}: {plan.name}",
                    "price": plan.price.replace(",", ""),
                    "priceCurrency": plan.asset,
                    "url": settings.ORIGIN + route.url,
                }
                for route in routes
                for plan in route.plans
            ],
        }
    )


def _script(document: dict[str, object]) -> SafeString:
    """JSON-LD for a script element: no character in it can end one."""
    return mark_safe(json.dumps(document).translate(ESCAPES))  # noqa: S308 - escaped just now
