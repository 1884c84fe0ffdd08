"""The life of a price: draft → published → retired, each step once, and never back."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from gateway.domain import metering
from gateway.domain.limits import parse_limits
from marketplace import publishing
from marketplace.models import Route, RouteQuote

State = RouteQuote.State


class NotSold(ValueError):
    """These terms cannot be sold; the message is for whoever wants to."""


class NotADraft(ValueError):
    """Somebody else published or deleted this draft."""


def next_version(route: Route, name: str) -> int:
    newest = RouteQuote.objects.filter(route=route, name=name).aggregate(newest=Max("version"))
    return (newest["newest"] or 0) + 1


def save_draft(draft: RouteQuote) -> RouteQuote:
    """Write a draft; its limits with every default written out, as they are signed."""
    limits, meter = parse_limits(draft.limits), metering.parse_meter(draft.meter)
    metering.check(limits, meter)
    draft.limits = [limit.terms() for limit in limits]
    draft.meter = None if meter is None else meter.terms()
    with transaction.atomic():
        Route.objects.select_for_update().get(pk=draft.route_id)
        if not draft.pk:
            draft.version = next_version(draft.route, draft.name)
        draft.save()
    return draft


def publish(draft: RouteQuote, now: datetime) -> RouteQuote:
    """Put a draft on sale in place of the version that was. Running grants are not touched."""
    with transaction.atomic():
        Route.objects.select_for_update().get(pk=draft.route_id)
        on_sale = RouteQuote.objects.filter(route=draft.route_id, name=draft.name)
        on_sale.filter(state=State.PUBLISHED).update(state=State.RETIRED, retired_at=now)
        drafts = RouteQuote.objects.filter(pk=draft.pk, state=State.DRAFT)
        if drafts.update(state=State.PUBLISHED, published_at=now) == 0:
            raise NotADraft(f"{draft} is not a draft any more.")
        publishing.publish([draft.route.service_id])
    draft.refresh_from_db()
    return draft


def copy(price: RouteQuote) -> RouteQuote:
    """The same terms as a draft of their own, not saved."""
    return RouteQuote(
        route=price.route,
        name=price.name,
        amount=price.amount,
        asset=price.asset,
        access_seconds=price.access_seconds,
        starts=price.starts,
        charge=price.charge,
        adjustable=price.adjustable,
        meter=price.meter,
        limits=price.limits,
    )


def sell_again(retired: RouteQuote, now: datetime) -> RouteQuote:
    """The terms of an earlier version as the newest, in place of what is on sale."""
    if retired.state != State.RETIRED:
        raise NotSold(f"{retired} is not retired.")
    if retired.route.removed_at is not None:
        raise NotSold("Its route is gone.")
    if retired.asset not in settings.CHAIN.assets:
        raise NotSold(f"{retired.asset} is not paid with here any more.")
    with transaction.atomic():
        return publish(save_draft(copy(retired)), now)


def retire(price: RouteQuote, now: datetime) -> bool:
    """Stop selling. False when it was not on sale."""
    with transaction.atomic():
        published = RouteQuote.objects.filter(pk=price.pk, state=State.PUBLISHED)
        retired = published.update(state=State.RETIRED, retired_at=now) == 1
        publishing.publish([price.route.service_id])
    return retired
