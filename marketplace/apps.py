from django.apps import AppConfig
from django.contrib.admin import apps as admin


class MarketplaceConfig(AppConfig):
    name = "marketplace"
    default_auto_field = "django.db.models.BigAutoField"
    default = True


class ConsoleConfig(admin.AdminConfig):
    default = False
    default_site = "marketplace.console.ConsoleSite"
