"""The console's own screens: whose shop they show, and how they look."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from marketplace.admin.scoping import seller
from marketplace.models import Provider


class NobodysShop(Exception):
    """Staff have to say whose shop they mean."""


def sells(request: HttpRequest) -> bool:
    return seller(request) is not None or bool(request.user.is_active and request.user.is_superuser)


def shop_of(request: HttpRequest) -> Provider:
    """The user's own, whatever the address says; staff's is the one that it names."""
    own = seller(request)
    if own is not None:
        return own
    if not sells(request):
        raise PermissionDenied
    slug = request.GET.get("provider", "")
    found = Provider.objects.filter(slug=slug).first() if slug else None
    if found is None and slug:
        raise Http404
    if found is None:
        raise NobodysShop
    return found


def page(request: HttpRequest, template: str, **context: object) -> TemplateResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def choose(request: HttpRequest, title: str) -> TemplateResponse:
    """For staff: whose shop?"""
    providers = Provider.objects.order_by("name")[:500]
    return page(request, "admin/marketplace/choose.html", title=title, providers=providers)
