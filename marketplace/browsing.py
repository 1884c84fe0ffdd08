"""Search, filter and order of the catalogue; the whole state is in the address."""

from collections import defaultdict
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Exists, F, Min, OuterRef, Q
from django.http import QueryDict

from marketplace.models import RouteQuote, Service, ServiceQuerySet
from marketplace.showing import Card, card

PAGE_SIZE = 24
SEARCH_LENGTH_MAX = 100
ORDERS = {
    "newest": "Newest first",
    "price": "Lowest price first",
    "name": "By name",
}


@dataclass(frozen=True, slots=True)
class Search:
    words: str = ""
    category: str = ""
    asset: str = ""
    order: str = "newest"

    @classmethod
    def of(cls, query: QueryDict) -> "Search":
        """Whatever stands in the address; what makes no sense is left out."""
        order = query.get("sort", "")
        return cls(
            words=" ".join(query.get("q", "").replace("\0", "").split())[:SEARCH_LENGTH_MAX],
            category=query.get("category", "")[:63].replace("\0", ""),
            asset=query.get("asset", "")[:12].replace("\0", ""),
            order=order if order in ORDERS else "newest",
        )

    @property
    def is_narrow(self) -> bool:
        return bool(self.words or self.category or self.asset)

    def address(self, *, page: int = 1, **changes: str) -> str:
        """The query string of this search with `changes`, without what is the default."""
        search = replace(self, **changes)
        state = {
            "q": search.words,
            "category": search.category,
            "asset": search.asset,
            "sort": "" if search.order == "newest" else search.order,
            "page": str(page) if page > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in state.items() if value})


def find(search: Search) -> ServiceQuerySet:
    services = Service.objects.listed()
    for word in search.words.split():
        services = services.filter(
            Q(name__icontains=word)
            | Q(tagline__icontains=word)
            | Q(description__icontains=word)
            | Q(provider__name__icontains=word)
        )
    if search.category:
        services = services.filter(category__slug=search.category)
    on_sale = RouteQuote.objects.on_sale().filter(route__service=OuterRef("pk"))
    if search.asset:
        services = services.filter(Exists(on_sale.filter(asset=search.asset)))
    return _ordered(services, search)


def _ordered(services: ServiceQuerySet, search: Search) -> ServiceQuerySet:
    if search.order == "name":
        return services.order_by("name", "pk")
    if search.order == "newest":
        return services.order_by("-created_at", "-pk")
    on_sale = Q(routes__quotes__state=RouteQuote.State.PUBLISHED, routes__removed_at=None)
    if search.asset:
        on_sale &= Q(routes__quotes__asset=search.asset)
    cheapest = Min("routes__quotes__amount", filter=on_sale)
    return services.annotate(cheapest=cheapest).order_by(F("cheapest").asc(nulls_last=True), "pk")


def page_of_cards(search: Search, page: str) -> tuple[Page[Service], list[Card]]:
    found = find(search).select_related("provider", "category").defer("description")
    services = Paginator(found, PAGE_SIZE).get_page(page)
    prices: dict[int, list[RouteQuote]] = defaultdict(list)
    on_sale = RouteQuote.objects.on_sale().filter(route__service__in=list(services))
    for price in on_sale.select_related("route"):
        prices[price.route.service_id].append(price)
    return services, [card(service, prices[service.pk]) for service in services]
