"""The catalogue for search engines: a sitemap, robots.txt, and each service as a schema.org WebAPI.

The addresses of services are those of `settings.ORIGIN`, whatever host asked.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe

from marketplace.models import Service, ServiceQuerySet
from marketplace.showing import RoutePlans

if TYPE_CHECKING:
    ServiceSitemap = Sitemap[Service]
else:
    ServiceSitemap = Sitemap  # Generic for type checkers only.

URLS_MAX = 10_000
"""Of one file; a sitemap index leads to all of them."""
ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


class Services(ServiceSitemap):
    limit = URLS_MAX
    changefreq = "daily"

    def items(self) -> ServiceQuerySet:
        return Service.objects.listed().order_by("pk").only("slug", "updated_at")

    def lastmod(self, item: Service) -> object:
        return item.updated_at

    def location(self, item: Service) -> str:
        return f"/services/{item.slug}/"

    def get_domain(self, site: object = None) -> str:  # noqa: ARG002 - asked for by the framework
        return str(urlsplit(settings.ORIGIN).netloc)

    def get_protocol(self, protocol: str | None = None) -> str:  # noqa: ARG002
        return str(urlsplit(settings.ORIGIN).scheme)


SITEMAPS = {"services": Services}


def robots(_request: HttpRequest) -> HttpResponse:
    lines = [
        "User-agent: *",
        "Disallow: /admin/",
        "Disallow: /checkout/",
        "Disallow: /purchases/",
        f"Disallow: {settings.GATE_PREFIX}",
        f"Sitemap: {settings.ORIGIN}/sitemap.xml",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def linked_data(service: Service, routes: Iterable[RoutePlans], url: str) -> SafeString:
    """JSON-LD for a script element: no character in it can end one."""
    document: dict[str, Any] = {
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
    return mark_safe(json.dumps(document).translate(ESCAPES))  # noqa: S308 - escaped just now
