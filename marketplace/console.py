"""The console: Django's admin with our name on it, without the door that leads past its rules."""

import time
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from marketplace import throttling
from marketplace.domain.networks import network_of

# An office where everybody mistypes, and far too few to guess a password by.
LOGINS_PER_NETWORK = 30
LOGIN_WINDOW_SECONDS = 300


class ConsoleSite(AdminSite):
    site_header = "ApiCharge console"
    site_title = "ApiCharge console"
    index_title = "Your shop"

    order = ["Service", "Route", "RouteQuote", "Provider", "Category", "Quote"]

    @method_decorator(sensitive_post_parameters())
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """By network, not by name: a stranger must not be able to lock staff out."""
        if request.method == "POST" and not throttling.allows(
            "login",
            network_of(str(request.META.get("REMOTE_ADDR", ""))),
            limit=LOGINS_PER_NETWORK,
            window_s=LOGIN_WINDOW_SECONDS,
            now_s=time.time(),
        ):
            return HttpResponse(
                "Too many attempts to log in from this network: wait a few minutes.\n",
                status=429,
                content_type="text/plain; charset=utf-8",
                headers={"Retry-After": str(LOGIN_WINDOW_SECONDS), "Cache-Control": "no-store"},
            )
        return super().login(request, extra_context)

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """The catalogue first, its models in the order in which one fills them in."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: self._place(model["object_name"]))
        return sorted(apps, key=lambda app: str(app["app_label"]) != "marketplace")

    def _place(self, model: str) -> int:
        return self.order.index(model) if model in self.order else len(self.order)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        # `r/<type>/<id>/` redirects to any object's page, whoever asks: it asks no model admin.
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]
