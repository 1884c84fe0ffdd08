"""The page of a provider: who it is, where it is paid, and what it sells."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from marketplace import describing
from marketplace.models import Provider, Service
from marketplace.reviewing import NO_RATING, ratings

SERVICES_SHOWN = 100


def provider(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Provider.objects.select_related("proof"), slug=slug)
    listed = Service.objects.listed().filter(provider=found).select_related("category")
    services = list(listed.defer("description").order_by("name", "pk")[:SERVICES_SHOWN])
    rated = ratings([service.pk for service in services])
    host = urlsplit(found.website).hostname or ""
    context = {
        "provider": found,
        "website_is_proven": found.is_verified and _is_of(host, found.proof.domain),
        "about": describing.html(found.about),
        "services": [(service, rated.get(service.pk, NO_RATING)) for service in services],
        "canonical": settings.ORIGIN + request.path,
    }
    return render(request, "marketplace/provider.html", context)


def _is_of(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
