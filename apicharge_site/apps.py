from importlib import import_module

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "apicharge_site"

    def ready(self) -> None:
        # Whoever sends a task needs the queue's settings, in every process.
        import_module("apicharge_site.celery")
