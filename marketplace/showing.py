"""What the pages say about a service: values that a template prints as they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.urls import reverse

from gateway.domain.limits import parse_limits
from marketplace.domain import plans
from marketplace.models import Route, RouteQuote, Service
from marketplace.snippets import Example, Snippet, snippets


@dataclass(frozen=True, slots=True)
class LimitWords:
    words: str
    at_the_limit: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One price on sale, in words."""

    name: str
    version: int
    price: str
    asset: str
    is_free: bool
    duration: str
    per_hour: str
    per_thousand_calls: str | None
    limits: tuple[LimitWords, ...]
    starts: str
    starts_later: bool
    charge: str
    is_popular: bool = False


@dataclass(frozen=True, slots=True)
class RoutePlans:
    identifier: str
    slug: str
    name: str
    description: str
    path: str
    methods: str
    address: str  # What a client calls.
    url: str  # Where a person buys.
    plans: tuple[Plan, ...]
    example: Example

    @property
    def charge(self) -> str:
        """Which calls count, where all of its plans say the same."""
        said = {plan.charge for plan in self.plans}
        return said.pop() if len(said) == 1 else ""

    @property
    def snippets(self) -> tuple[Snippet, ...]:
        return tuple(snippets(self.example))


def plan(price: RouteQuote, popular: int | None = None) -> Plan:
    """`popular` is the price that most of the service's buyers take, where sales say so."""
    limits = parse_limits(price.limits)
    return Plan(
        name=price.name,
        version=price.version,
        price=plans.show_amount(price.amount),
        asset=price.asset,
        is_free=price.amount == 0,
        duration=plans.show_duration(price.access_seconds),
        per_hour=plans.per_hour(price.amount, price.access_seconds),
        per_thousand_calls=plans.per_thousand_calls(price.amount, price.access_seconds, limits),
        limits=tuple(LimitWords(limit.words(), plans.at_the_limit(limit)) for limit in limits),
        starts=price.get_starts_display(),
        starts_later=price.starts == RouteQuote.Starts.FIRST_USE,
        charge=price.get_charge_display(),
        is_popular=price.pk == popular,
    )


def route_plans(
    service: Service, route: Route, prices: Iterable[RouteQuote], popular: int | None = None
) -> RoutePlans:
    shown = tuple(plan(price, popular) for price in prices)
    address = f"{gate_address(service)}{quote(route.path, safe='/%')}"
    return RoutePlans(
        identifier=f"{service.slug}/{route.slug}",
        slug=route.slug,
        name=route.name,
        description=route.description,
        path=route.path,
        methods=" ".join(route.methods) or "any method",
        address=address,
        url=reverse("marketplace:route", args=[service.slug, route.slug]),
        plans=shown,
        example=Example.of(address, route.methods, _budget(shown)),
    )


def explorer_of(account: str) -> str:
    """Where what it was paid can be looked at, or nothing."""
    template: str = settings.ACCOUNT_EXPLORER
    return template.replace("{account}", account)


def _budget(offered: tuple[Plan, ...]) -> str:
    """Enough for the first plan that costs something; plans come cheapest first."""
    paid = (each for each in offered if not each.is_free)
    first = next(paid, None)
    return f"{first.asset}:{first.price.replace(',', '')}" if first else "USDC:1"


def gate_address(service: Service) -> str:
    """Where the service answers, without a final slash."""
    if service.host:
        scheme = settings.ORIGIN.partition(":")[0]
        return f"{scheme}://{service.host}"
    return f"{settings.ORIGIN}{settings.GATE_PREFIX}{service.slug}"
