"""The console: Django's admin with our name on it, without the door that leads past its rules."""

from django.contrib.admin import AdminSite
from django.urls import URLPattern, URLResolver


class ConsoleSite(AdminSite):
    site_header = "ApiCharge console"
    site_title = "ApiCharge console"
    index_title = "Your shop"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        # `r/<type>/<id>/` redirects to any object's page, whoever asks: it asks no model admin.
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]
