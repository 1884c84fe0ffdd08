"""The addresses of all listed services for search engines, and what robots may read.

A file covers a range of services, so it is read without counting or skipping any; a range in which
nothing is listed any more is an empty file. Addresses are those of `settings.ORIGIN`.
"""

from xml.sax.saxutils import escape

from django.conf import settings
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control

from marketplace.models import Service

URLS_MAX = 2_500
"""Of one file: the protocol allows 50,000, and this many take no longer than a page."""
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
hourly = cache_control(public=True, max_age=3_600)


@hourly
def sitemap_index(_request: HttpRequest) -> HttpResponse:
    newest = Service.objects.aggregate(newest=Max("pk"))["newest"] or 1
    parts = range(1, (newest - 1) // URLS_MAX + 2)
    places = [
        f"<sitemap><loc>{_place(reverse('marketplace:sitemap', args=[part]))}</loc></sitemap>"
        for part in parts
    ]
    return _xml("sitemapindex", places)


@hourly
def sitemap(_request: HttpRequest, part: int) -> HttpResponse:
    if not 1 <= part <= 2**31:
        raise Http404
    # By the services' own key: SQLite would find all that are listed before it looked at a part.
    of_part = Service.objects.listed().filter(
        figures__listed=True, pk__gt=(part - 1) * URLS_MAX, pk__lte=part * URLS_MAX
    )
    rows = of_part.order_by("pk").values_list("slug", "updated_at")
    places = [
        f"<url><loc>{_place(f'/services/{slug}/')}</loc><lastmod>{at:%Y-%m-%d}</lastmod></url>"
        for slug, at in rows
    ]
    return _xml("urlset", places)


@hourly
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


def kept_from_robots(response: HttpResponse, service: Service) -> HttpResponse:
    """What is not in the catalogue is not to be found by another way."""
    if service.visibility != Service.Visibility.PUBLIC:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _place(path: str) -> str:
    return escape(settings.ORIGIN + path)


def _xml(element: str, places: list[str]) -> HttpResponse:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<{element} xmlns="{NAMESPACE}">']
    text = "\n".join([*lines, *places, f"</{element}>", ""])
    return HttpResponse(text, content_type="application/xml; charset=utf-8")
