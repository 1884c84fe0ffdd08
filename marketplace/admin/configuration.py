"""The whole shop as one document: take it away, see what another would change, apply it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from marketplace import configuring
from marketplace.admin import desk
from marketplace.configuring import Plan, Refused
from marketplace.console import Screen
from marketplace.models import Configuration, Provider

SHOWN = 50
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody typed, and what came of it."""

    text: str
    reason: str = ""
    plan: Plan | None = None
    problems: tuple[str, ...] = ()


def configuration(request: HttpRequest) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Configuration"))
    if request.method != "POST":
        return _page(request, provider, Draft(written(configuring.export(provider))))
    draft = _planned(provider, request.POST.get("document", ""), request.POST.get("reason", ""))
    if draft.plan is None or "apply" not in request.POST:
        return _page(request, provider, draft)
    return _applied(request, provider, draft, draft.plan)


def export(request: HttpRequest) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Configuration"))
    document = written(configuring.export(provider))
    response = HttpResponse(document, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{provider.slug}.json"'
    return response


def version(request: HttpRequest, number: int) -> HttpResponse:
    """An earlier one, as a draft that only has to be applied."""
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Configuration"))
    kept = configuring.history(provider).filter(number=number).first()
    if kept is None:
        raise Http404
    now = configuring.export(provider)["based_on"]
    reason = _("Back to number %(number)d") % {"number": number}
    text = written(kept.document | {"based_on": now})
    return _page(request, provider, _planned(provider, text, reason), kept)


def written(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _planned(provider: Provider, text: str, reason: str) -> Draft:
    try:
        plan = configuring.plan(provider, configuring.read(text.encode()))
    except Refused as exc:
        return Draft(text, reason, problems=tuple(exc.problems))
    return Draft(text, reason, plan)


def _applied(request: HttpRequest, provider: Provider, draft: Draft, plan: Plan) -> HttpResponse:
    actor = request.user.get_username()
    try:
        kept = configuring.apply(plan, actor=actor, reason=draft.reason, now=timezone.now())
    except Refused as exc:
        return _page(
            request, provider, Draft(draft.text, draft.reason, problems=tuple(exc.problems))
        )
    said = _("Configuration %(number)d is applied. Gateways have it within a second.")
    messages.success(request, said % {"number": kept.number})
    log = f"Applied configuration {kept.number}. {draft.reason}".strip()
    admin.site.get_model_admin(Provider).log_change(request, provider, log)
    query = f"?provider={provider.slug}" if "provider" in request.GET else ""
    return HttpResponseRedirect(reverse("admin:configuration") + query)


def _page(
    request: HttpRequest, provider: Provider, draft: Draft, kept: Configuration | None = None
) -> HttpResponse:
    return desk.page(
        request,
        "admin/marketplace/configuration.html",
        title=_("Configuration"),
        provider=provider,
        draft=draft,
        kept=kept,
        history=configuring.history(provider).defer("document")[:SHOWN],
        query=f"?provider={provider.slug}" if "provider" in request.GET else "",
    )


admin.site.screens += [  # type: ignore[attr-defined]  # marketplace.console.ConsoleSite
    Screen(
        "configuration",
        "configuration/",
        configuration,
        gettext_noop("Configuration"),
        "data_object",
        desk.sells,
    ),
    Screen("configuration_export", "configuration/export.json", export),
    Screen("configuration_version", "configuration/<int:number>/", version),
]
