"""A provider's APIs as the gate finds them: what probes say, and the latest calls that failed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import admin
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from gateway.domain.errors import FOR_END
from gateway.domain.exchange import UPSTREAM_FAILURES, End
from gateway.models import RecentCall, RestingUpstream
from marketplace.admin import desk
from marketplace.console import Screen
from marketplace.models import Provider, Service, Standing, Upstream

SERVICES_MAX = 50
LOOKED_AT = 2_000
FAILED_SHOWN = 30
ERROR_MIN = 500
BELIEVED = timedelta(seconds=30)
"""For so long what a gate said last; it says it again every ten seconds."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Gates that leave one upstream alone now, while the service has others."""

    gates: int
    since: datetime
    is_down: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """One service, as the last probe found it."""

    service: Service
    health: str
    since: datetime | None
    probed_at: datetime | None
    upstreams: tuple[tuple[Upstream, Rest | None], ...]


@dataclass(frozen=True, slots=True)
class FailedCall:
    at: datetime
    route: str
    call: str
    why: str
    problem: str
    """The slug that its address explains, or nothing."""


def upstreams(request: HttpRequest) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Upstreams"))
    return desk.page(
        request,
        "admin/marketplace/upstreams.html",
        title=_("Upstreams"),
        provider=provider,
        services=list(_services(provider)),
        failed=[_failed(row) for row in _failures(provider)],
        looked_at=LOOKED_AT,
    )


def _services(provider: Provider) -> Iterable[Looked]:
    resting = _resting(provider)
    ordered = Prefetch("upstreams", Upstream.objects.order_by("pk"))
    own = Service.objects.filter(provider=provider).select_related("figures", "provider")
    for service in own.prefetch_related(ordered).order_by("name")[:SERVICES_MAX]:
        figures = getattr(service, "figures", None)
        places = service.upstreams.all()
        yield Looked(
            service,
            _health(service, figures),
            figures.down_since if figures else None,
            figures.probed_at if figures else None,
            tuple((each, resting.get((service.slug, each.url))) for each in places),
        )


def _resting(provider: Provider) -> Mapping[tuple[str, str], Rest]:
    slugs = Service.objects.filter(provider=provider).values("slug")
    found: dict[tuple[str, str], Rest] = {}
    lately = timezone.now() - BELIEVED
    for row in RestingUpstream.objects.filter(service__in=slugs, seen_at__gte=lately):
        known = found.get((row.service, row.url), Rest(0, row.since, is_down=False))
        since, is_down = min(known.since, row.since), known.is_down or row.is_down
        found[row.service, row.url] = Rest(known.gates + 1, since, is_down)
    return found


def _health(service: Service, figures: Standing | None) -> str:
    if not service.sells:
        return "unsold"
    if figures is None or figures.probed_at is None:
        return "unknown"
    return "up" if figures.down_since is None else "down"


def _failures(provider: Provider) -> Iterable[RecentCall]:
    """Among the latest calls: those that are long gone are not looked through."""
    latest = RecentCall.objects.filter(provider=provider.pk).order_by("-id").values("pk")
    failed = Q(status__gte=ERROR_MIN) | Q(end__in=UPSTREAM_FAILURES)
    among = RecentCall.objects.filter(pk__in=latest[:LOOKED_AT])
    return among.filter(failed).order_by("-id")[:FAILED_SHOWN]


def _failed(row: RecentCall) -> FailedCall:
    problem = FOR_END.get(End(row.end)) if row.end in set(End) else None
    why = problem.title if problem else row.end.replace("_", " ")
    if row.status is not None and row.status >= ERROR_MIN:
        why = _("It answered %(status)d") % {"status": row.status}
    return FailedCall(
        at=row.at,
        route=row.route,
        call=f"{row.method} {row.path}",
        why=why,
        problem=problem.slug if problem else "",
    )


admin.site.screens.append(  # type: ignore[attr-defined]  # marketplace.console.ConsoleSite
    Screen("upstreams", "upstreams/", upstreams, gettext_noop("Upstreams"), "lan", desk.sells)
)
