"""The console: Django's admin with our name on it, without the door that leads past its rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _

from gateway.theme import AdminSite
from marketplace import navigating

# Leads past the rules of a row's own admin, or to pages that nothing here links to.
DOORS_LEFT_OUT = {"view_on_site", "search"}


@dataclass(frozen=True, slots=True)
class Screen:
    """A page of the console that is no model's. Whoever owns it adds it to `site.screens`."""

    name: str
    path: str
    view: Callable[..., HttpResponse]
    title: str = ""  # Without one it is not in the navigation.
    icon: str = ""
    shown_to: Callable[[HttpRequest], bool] = lambda _request: True


Dashboard = Callable[[HttpRequest], TemplateResponse | None]
"""The first page, of whoever it has one for."""


class ConsoleSite(AdminSite):
    site_header = "ApiCharge console"
    site_title = "ApiCharge console"
    index_title = "Everything here"

    order = ["Service", "Route", "RouteQuote", "Provider", "Category", "Quote"]

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.screens: list[Screen] = []
        self.dashboards: list[Dashboard] = []

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The site's own login: one door, with its limits and its second factor."""
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer

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
        screens: Iterable[URLPattern] = (
            path(screen.path, self.admin_view(screen.view), name=screen.name)
            for screen in self.screens
        )
        rest = (url for url in super().get_urls() if getattr(url, "name", "") not in DOORS_LEFT_OUT)
        return [*screens, *rest]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        for dashboard in self.dashboards:
            if (shown := dashboard(request)) is not None:
                return shown
        return super().index(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        play = settings.CHAIN.is_play
        return super().each_context(request) | {
            "colors": None,  # In console.css: the theme would print them into the page.
            "styles": [static("css/console.css")],
            "site_icon": static("img/mark.svg"),
            "site_header": self.site_header,
            "site_title": self.site_title,
            "environment": [settings.CHAIN.name.title(), "warning"] if play else None,
        }

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        shown = [
            navigating.Link(_(screen.title), reverse(f"{self.name}:{screen.name}"), screen.icon)
            for screen in self.screens
            if screen.title and screen.shown_to(request)
        ]
        home = navigating.Link(_("Dashboard"), reverse(f"{self.name}:index"), "space_dashboard")
        return navigating.sidebar([home, *shown], self.get_app_list(request), request.path)
