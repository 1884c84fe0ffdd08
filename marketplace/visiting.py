"""Probes: each minute the upstreams of services on sale are asked whether they answer at all.

As a gate would reach them, at a checked and pinned address, but without the provider's own key: any
answer below 500 says that the service is up. One process visits at a time, a bounded number of
services, a few at once; where there are more than that, they are visited in turn.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet

from gateway.addresses import Policy
from gateway.domain.transforms import Transform
from marketplace import compiling, measuring
from marketplace.measuring import Figures
from marketplace.models import Service, Standing, Turn, Upstream
from marketplace.probing import Answered, Shown, probe

TURN = "visit"
EVERY_S = 55  # Beat is not to the second.
ERROR = 500
BEGUN_WITHIN_S = 40.0
AT_ONCE = 16
KEPT = (Service.Visibility.UNLISTED, Service.Visibility.MEMBERS)
UPSTREAMS_MAX = 3
"""Asked of one service until one answers."""
TAKEN_FOR = timedelta(seconds=55)


@dataclass(frozen=True, slots=True)
class Call:
    """All that a probe needs, so that it needs no database."""

    service: int
    urls: tuple[str, ...]
    shown: Shown
    changes: Transform | None


def visit(now: datetime) -> int:
    """How many services were visited; none where somebody else is at it."""
    if not settings.PROBES_PER_MINUTE or not _is_ours(now):
        return 0
    policy = Policy.of(settings.UPSTREAM_NETWORKS, settings.OWN_ADDRESSES)
    until = time.monotonic() + BEGUN_WITHIN_S
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe") as pool:
        asked = {call.service: pool.submit(is_up, call, policy, until) for call in _due(now)}
    answers = {service: future.result() for service, future in asked.items()}
    seen = {service: up for service, up in answers.items() if up is not None}
    _record(seen, now)
    return len(seen)


def visited() -> Iterable["QuerySet[Standing]"]:
    """Of all services on sale, in parts that have an index each."""
    yield Standing.objects.filter(listed=True)
    kept = Service.objects.on_sale().filter(visibility__in=KEPT)
    yield Standing.objects.filter(service__in=kept)


def is_up(call: Call, policy: Policy, until: float) -> bool | None:
    """None where there was no time left to ask."""
    for url in call.urls:
        if time.monotonic() >= until:
            return None
        outcome = probe(url, policy, call.shown, call.changes)
        if isinstance(outcome, Answered) and outcome.status < ERROR:
            return True
    return False


def _is_ours(now: datetime) -> bool:
    Turn.objects.get_or_create(name=TURN)
    free = Turn.objects.filter(Q(taken_until=None) | Q(taken_until__lte=now), name=TURN)
    return free.update(taken_until=now + TAKEN_FOR) == 1


def _due(now: datetime) -> list[Call]:
    """Those that waited longest, of what everybody sees and of what some do."""
    queued: list[tuple[int, int]] = []
    for some in visited():
        waiting = some.filter(probe_due_s__lte=now.timestamp()).order_by("probe_due_s")
        queued += waiting.values_list("probe_due_s", "pk")[: settings.PROBES_PER_MINUTE]
    chosen = [pk for _, pk in sorted(queued)[: settings.PROBES_PER_MINUTE]]
    upstreams = Prefetch("upstreams", Upstream.objects.order_by("pk"))
    services = Service.objects.on_sale().filter(pk__in=chosen).prefetch_related(upstreams)
    return [_call(service, list(service.upstreams.all())) for service in services]


def _call(service: Service, upstreams: Sequence[Upstream]) -> Call:
    changes = compiling.read_transform(service)
    return Call(
        service=service.pk,
        urls=tuple(f"{each.url}{service.health_path}" for each in upstreams[:UPSTREAMS_MAX]),
        shown=Shown(service.tls_ca, service.tls_certificate, service.tls_key),
        changes=None if changes is None else replace(changes, credential=None, request_set=()),
    )


@transaction.atomic
def _record(seen: dict[int, bool], now: datetime) -> None:
    Turn.objects.select_for_update().get_or_create(name=measuring.TURN)  # Who adds to days waits.
    days: dict[tuple[int, date], Figures] = defaultdict(Figures)
    for service, up in seen.items():
        days[service, now.date()] = Figures(probes=1, answered=int(up))
    measuring.record(days)
    _mark([service for service, up in seen.items() if up], now, None)
    _mark([service for service, up in seen.items() if not up], now, now)


def _mark(services: Collection[int], now: datetime, down: datetime | None) -> None:
    rows = Standing.objects.filter(pk__in=services)
    rows.update(probed_at=now, probe_due_s=int(now.timestamp()) + EVERY_S)
    if down is None:
        rows.exclude(down_since=None).update(down_since=None)
    else:
        rows.filter(down_since=None).update(down_since=down)
