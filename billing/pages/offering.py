"""What a route sells now, for the pages of a purchase: plans in words, each with its quote."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from marketplace import quoting
from marketplace.domain import plans
from marketplace.domain.quotes import SignedQuote
from marketplace.models import Route, Service
from marketplace.showing import Plan, RoutePlans, gate_address, plan, route_plans

BACK_LENGTH_MAX = 2048


@dataclass(frozen=True, slots=True)
class Offer:
    plan: Plan
    quote: SignedQuote

    @property
    def base_units(self) -> str:
        return f"{self.quote.amount:,}"

    @property
    def fee(self) -> str:
        return plans.show_amount(self.quote.fee) if self.quote.fee else ""

    @property
    def limit_words(self) -> list[str]:
        return [limit.words for limit in self.plan.limits]

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.quote.expires_at, UTC)


@dataclass(frozen=True, slots=True)
class Shelf:
    service: Service
    route: RoutePlans
    offers: tuple[Offer, ...]

    def chosen(self, name: str) -> Offer | None:
        """The plan of this name, else the first that costs something, else any."""
        named = (offer for offer in self.offers if offer.plan.name == name)
        paid = (offer for offer in self.offers if offer.quote.amount)
        return next(named, None) or next(paid, None) or next(iter(self.offers), None)

    def place(self) -> tuple[str, str]:
        """Where the service is answered: origin and path, without a final slash."""
        found = urlsplit(gate_address(self.service))
        return f"{found.scheme}://{found.netloc}", found.path

    def way_back(self, asked: str) -> str:
        """`asked` when it is a page of this service on its own host, else nothing."""
        _, base = self.place()
        parts = urlsplit(asked)
        is_plain = (
            len(asked) <= BACK_LENGTH_MAX
            and asked.isascii()
            and asked.isprintable()
            and "\\" not in asked
        )
        is_path = not parts.scheme and not parts.netloc and not asked.startswith("//")
        within = parts.path.startswith(f"{base}/") and ".." not in parts.path.split("/")
        return asked if is_plain and is_path and within and " " not in asked else ""


def shelf(route_id: str, now_s: float) -> Shelf | None:
    """None where there is no such route. For somebody who may see the service."""
    slug, _, route_slug = route_id.partition("/")
    standing = Route.objects.standing().exclude(service__state=Service.State.DRAFT)
    found = (
        standing.filter(service__slug=slug, slug=route_slug)
        .select_related("service__provider")
        .first()
    )
    if found is None:
        return None
    prices = list(quoting.on_sale(route_id, to_members=True))
    offers = zip(prices, quoting.sign_all(prices, now_s), strict=True)
    return Shelf(
        found.service,
        route_plans(found.service, found, prices),
        tuple(Offer(plan(price), quote) for price, quote in offers),
    )
