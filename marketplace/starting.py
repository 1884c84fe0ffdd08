"""From nothing to a shop: which steps are done, and the acts that do several at once.

The steps are read off the rows, so they are right whichever way somebody took.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from gateway.domain.limits import parse_limits
from marketplace import guarding, importing, pricing, publishing
from marketplace.admin.route_form import RouteForm, check_together
from marketplace.domain import plans, templates
from marketplace.domain.proposing import Proposal, propose_routes
from marketplace.domain.undercutting import undercut
from marketplace.models import ApiDocument, Provider, Route, RouteQuote, Service, Upstream

State = RouteQuote.State


class NotPossible(ValueError):
    """Nothing was made; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    key: str
    title: str
    done: bool
    optional: bool = False


def steps(provider: Provider, service: Service | None) -> list[Step]:
    """In their order; a step that needs a service is open while there is none."""
    has = _parts(service)
    published = service is not None and service.state == Service.State.PUBLISHED
    return [
        Step("profile", _("Say who you are"), bool(provider.about)),
        Step("domain", _("Prove that a domain is yours"), provider.is_verified, optional=True),
        Step("payout", _("Check that you can be paid"), bool(provider.payout_address)),
        Step("service", _("Name your service"), service is not None),
        Step("upstream", _("Say where your API is"), "upstream" in has),
        Step("document", _("Import its OpenAPI document"), "document" in has, optional=True),
        Step("routes", _("Choose what is sold"), "route" in has),
        Step("prices", _("Put a price on it"), "price" in has),
        Step("published", _("Publish"), published and "on sale" in has),
    ]


def _parts(service: Service | None) -> set[str]:
    """What there is of it, in one query."""
    if service is None:
        return set()
    prices = RouteQuote.objects.filter(route__service=OuterRef("pk"), route__removed_at=None)
    parts = {
        "upstream": Upstream.objects.filter(service=OuterRef("pk")),
        "document": ApiDocument.objects.filter(service=OuterRef("pk")),
        "route": Route.objects.standing().filter(service=OuterRef("pk")),
        "price": prices.exclude(state=State.RETIRED),
        "on sale": prices.filter(state=State.PUBLISHED),
    }
    asked = {f"has_{number}": Exists(rows) for number, rows in enumerate(parts.values())}
    found = Service.objects.filter(pk=service.pk).annotate(**asked).values_list(*asked).first()
    return {part for part, is_there in zip(parts, found or (), strict=False) if is_there}


@dataclass(frozen=True, slots=True)
class Offered:
    """A route that the document suggests, and why it cannot be made."""

    proposal: Proposal
    taken: bool


def proposals(service: Service) -> list[Offered]:
    document = importing.current(service)
    if document is None:
        return []
    known = set(Route.objects.filter(service=service).values_list("slug", flat=True))
    paths = set(Route.objects.standing().filter(service=service).values_list("path", flat=True))
    return [
        Offered(each, each.slug in known or each.path in paths) for each in propose_routes(document)
    ]


def make_routes(service: Service, slugs: Collection[str]) -> list[Route]:
    """Those of the proposals that were chosen, all or none."""
    chosen = [
        each.proposal
        for each in proposals(service)
        if each.proposal.slug in slugs and not each.taken
    ]
    forms = [RouteForm(_fields(service, each), instance=Route(service=service)) for each in chosen]
    if not forms:
        raise NotPossible(_("Choose a route at least."))
    with transaction.atomic():
        if not any(form.errors for form in forms):
            check_together(service, forms)
        if wrong := [str(said) for form in forms for said in form.errors.values()]:
            raise NotPossible(" ".join(wrong))
        made = [form.save() for form in forms]
        publishing.publish([service.pk])
    return made


def _fields(service: Service, proposal: Proposal) -> dict[str, object]:
    return {
        "service": service.pk,
        "slug": proposal.slug,
        "name": proposal.name,
        "path": proposal.path,
        "methods": list(proposal.methods),
        "description": proposal.description[:200],
    }


def make_prices(
    route: Route, keys: Sequence[str], asset: str, now: datetime, *, publish: bool
) -> list[RouteQuote]:
    """The templates as offers of this route; those that it has under that name are left alone."""
    named = set(route.quotes.exclude(state=State.RETIRED).values_list("name", flat=True))
    chosen = [templates.BY_KEY[key] for key in keys if key in templates.BY_KEY]
    fresh = [each for each in chosen if each.name not in named]
    if not fresh:
        raise NotPossible(_("Choose a plan that this route does not have yet."))
    guard = guarding.guard_of(route, route.service)
    with transaction.atomic():
        made = []
        for each in fresh:
            limits = [*each.limits]
            if said := undercut(guard, parse_limits(limits), each.access_seconds):
                raise NotPossible(f"{each.name}: {said}")
            made.append(pricing.save_draft(_draft(route, each, asset)))
        return [pricing.publish(each, now) for each in made] if publish else made


def _draft(route: Route, template: templates.Template, asset: str) -> RouteQuote:
    return RouteQuote(
        route=route,
        name=template.name,
        amount=plans.parse_amount(template.price),
        asset=asset,
        access_seconds=template.access_seconds,
        limits=[*template.limits],
    )


def publish(service: Service) -> None:
    """On sale, with everything that a published service needs."""
    if not service.upstreams.exists():
        raise NotPossible(_("A service that is published needs an upstream to call."))
    sold = RouteQuote.objects.filter(
        route__service=service, route__removed_at=None, state=State.PUBLISHED
    )
    if not sold.exists():
        raise NotPossible(_("Publish a price first: nobody could buy anything."))
    with transaction.atomic():
        Service.objects.filter(pk=service.pk).update(state=Service.State.PUBLISHED)
        publishing.publish([service.pk])


def pause(service: Service) -> bool:
    """Sales stop; nobody can pause what was sold. False where it is not on sale."""
    with transaction.atomic():
        on_sale = Service.objects.filter(pk=service.pk, state=Service.State.PUBLISHED)
        paused = on_sale.update(state=Service.State.WITHDRAWN) == 1
        publishing.publish([service.pk])
    return paused
