from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "apicharge_site"
