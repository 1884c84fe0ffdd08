"""A plan carried out: in one transaction, by the same checks as the console's forms.

Names are looked up before the transaction: on SQLite nobody else writes while it runs.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from gateway.domain.routes import RouteTableError
from marketplace import holding, publishing
from marketplace.admin.service_form import refusal
from marketplace.configuring import history, selling, setting_up
from marketplace.configuring.exporting import export
from marketplace.configuring.fields import Said
from marketplace.configuring.planning import Plan, Refused
from marketplace.domain import configurations
from marketplace.models import Configuration, Provider, Service, Upstream

LOOKUPS_MAX = 64  # Each new address is a question to the name service.
GONE = Service.State.WITHDRAWN


def apply(plan: Plan, *, actor: str, reason: str, now: datetime) -> Configuration:
    """What it says, or nothing at all: `Refused` says why."""
    refusals = _look_up(plan)
    try:
        with transaction.atomic():
            provider = Provider.objects.select_for_update().get(pk=plan.provider.pk)
            before = export(provider)
            if before[configurations.BASED_ON] != plan.based_on:
                raise Refused(["The configuration changed in the meantime: look at it again."])
            history.keep_what_is_there(provider, before)
            _apply(provider, plan.document, refusals, now)
            own = Service.objects.filter(provider=provider)
            publishing.publish(own.values_list("pk", flat=True))
            after = export(provider)
            done = configurations.changes(before, after)
            return history.keep(provider, after, done, actor=actor, reason=reason)
    except (holding.Held, RouteTableError) as exc:
        raise Refused([str(exc)]) from exc


def _look_up(plan: Plan) -> dict[str, str | None]:
    """Each address that is new, and why it may not be called."""
    services: Any = plan.document["services"]
    named = {each["url"] for service in services for each in service["upstreams"]}
    own = Upstream.objects.filter(service__provider=plan.provider, url__in=named)
    new = sorted(named - set(own.values_list("url", flat=True)))
    if len(new) > LOOKUPS_MAX:
        raise Refused([f"At most {LOOKUPS_MAX} new upstreams at a time."])
    return {url: refusal(url) for url in new}


def _apply(
    provider: Provider, document: Said, refusals: Mapping[str, str | None], now: datetime
) -> None:
    for name, value in document["provider"].items():
        setattr(provider, name, value)
    problems = _problems_of(provider, "provider", document["provider"])
    provider.save(update_fields=[*document["provider"]])
    known = {each.slug: each for each in Service.objects.filter(provider=provider)}
    for said in document["services"]:
        where = f"services/{said['slug']}"
        service, wrong = setting_up.service(provider, known.get(said["slug"]), said, refusals)
        problems += [f"{where}/{each}" for each in wrong]
        if service is not None:
            routes, wrong = setting_up.routes(service, said["routes"], now)
            problems += [f"{where}/routes/{each}" for each in wrong]
            for route, prices in routes:
                wrong = selling.prices(route, prices, now)
                problems += [f"{where}/routes/{route.slug}/prices/{each}" for each in wrong]
    if problems:
        raise Refused(problems)
    _withdraw(
        known[slug] for slug in known.keys() - {each["slug"] for each in document["services"]}
    )


def _withdraw(services: Iterable[Service]) -> None:
    gone = [each.pk for each in services if each.state == Service.State.PUBLISHED]
    Service.objects.filter(pk__in=gone).update(state=GONE)


def _problems_of(row: Provider, where: str, names: Iterable[str]) -> list[str]:
    changed = set(names)
    try:
        row.full_clean(exclude={field.name for field in row._meta.fields} - changed)  # noqa: SLF001
    except ValidationError as exc:
        return [f"{where}/{name}: {' '.join(said)}" for name, said in exc.message_dict.items()]
    return []
