"""The steps from nothing to a published service, on one page."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import conf
from billing.domain.errors import NetworkUnavailable
from marketplace import starting
from marketplace.admin import desk
from marketplace.console import Screen
from marketplace.domain.templates import TEMPLATES
from marketplace.models import Provider, Route, Service

Act = Callable[[HttpRequest, Provider, Service | None], str]


def start(request: HttpRequest) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Getting started"))
    services = list(Service.objects.filter(provider=provider).order_by("-created_at")[:100])
    service = _chosen(request, services)
    if request.method == "POST":
        return _act(request, provider, service)
    steps = starting.steps(provider, service)
    return desk.page(
        request,
        "admin/billing/start.html",
        title=_("Getting started"),
        provider=provider,
        services=services,
        service=service,
        steps=steps,
        done=sum(step.done for step in steps),
        next=next((step.key for step in steps if not step.done and not step.optional), ""),
        routes=Route.objects.standing().filter(service=service).select_related("service"),
        templates=TEMPLATES,
        assets=list(settings.CHAIN.assets),
        play=settings.CHAIN.name != "pubnet",
    )


def _chosen(request: HttpRequest, services: list[Service]) -> Service | None:
    slug = request.GET.get("service", "")
    if slug:
        found = next((each for each in services if each.slug == slug), None)
        if found is None:
            raise Http404
        return found
    return next(iter(services), None)


def _act(request: HttpRequest, provider: Provider, service: Service | None) -> HttpResponse:
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    try:
        messages.success(request, act(request, provider, service))
    except starting.NotPossible as exc:
        messages.error(request, str(exc))
    return HttpResponseRedirect(request.get_full_path())


def _check_payout(_request: HttpRequest, provider: Provider, _service: Service | None) -> str:
    wanted = ((provider.payout_address, code) for code in settings.CHAIN.assets)
    try:
        found = list(conf.founding().receivers(wanted))
    except NetworkUnavailable as exc:
        raise starting.NotPossible(_("The network does not answer now: try again.")) from exc
    missing = [f"{step.words}: {step.advice}" for step in found if not step.done]
    if missing:
        raise starting.NotPossible(" ".join(missing))
    return _("This account can be paid in %(assets)s.") % {
        "assets": ", ".join(settings.CHAIN.assets)
    }


def _make_prices(request: HttpRequest, _provider: Provider, service: Service | None) -> str:
    route = Route.objects.standing().filter(service=service, pk=_number(request, "route")).first()
    if route is None or request.POST.get("asset") not in settings.CHAIN.assets:
        raise starting.NotPossible(_("Choose a route and an asset."))
    publish = "publish" in request.POST
    keys = request.POST.getlist("template")
    made = starting.make_prices(route, keys, request.POST["asset"], timezone.now(), publish=publish)
    _log(request, route.service, f"Made prices of {route}: {', '.join(map(str, made))}")
    names = ", ".join(price.name for price in made)
    if publish:
        return _("Priced: %(names)s. Each can be changed under Prices.") % {"names": names}
    return _("Drafts: %(names)s. Nobody can buy them before they are published.") % {"names": names}


def _publish(request: HttpRequest, _provider: Provider, service: Service | None) -> str:
    if service is None:
        raise starting.NotPossible(_("There is no service yet."))
    starting.publish(service)
    _log(request, service, "Published.")
    if service.is_held:
        return _("%(name)s is on sale as soon as staff has looked at it.") % {"name": service.name}
    where = reverse("marketplace:service", args=[service.slug])
    return _("%(name)s is published at %(where)s") % {"name": service.name, "where": where}


def _log(request: HttpRequest, service: Service, said: str) -> None:
    admin.site.get_model_admin(Service).log_change(request, service, said)


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _pause(request: HttpRequest, _provider: Provider, service: Service | None) -> str:
    """Sales only: what was sold runs on, so there is nothing else to pause."""
    if service is None or not starting.pause(service):
        raise starting.NotPossible(_("It is not on sale."))
    _log(request, service, "Paused sales.")
    return _("%(name)s is not sold for now. Running grants go on.") % {"name": service.name}


ACTS: dict[str, Act] = {
    "payout": _check_payout,
    "prices": _make_prices,
    "publish": _publish,
    "pause": _pause,
}

admin.site.screens.insert(  # type: ignore[attr-defined]
    0,
    Screen("start", "start/", start, gettext_noop("Getting started"), "flag", desk.sells),
)
