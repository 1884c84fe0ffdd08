"""The console: Django's admin with our name on it, without the door that leads past its rules."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver


class ConsoleSite(AdminSite):
    site_header = "ApiCharge console"
    site_title = "ApiCharge console"
    index_title = "Your shop"

    order = ["Service", "Route", "RouteQuote", "Provider", "Category", "Quote"]

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
