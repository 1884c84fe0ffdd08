"""What is searched for, and in which order. The whole search is in the address.

Each order walks an index by (column, service), so a page costs the same however deep it lies; the
key of the last row shown is where the next page begins. `finding.py` looks for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from marketplace.models import Service, Standing

SEARCH_LENGTH_MAX = 100
ORDERS = {
    "relevance": _("Best match"),
    "popularity": _("Most used"),
    "price": _("Price per hour"),
    "latency": _("Fastest answer"),
    "rating": _("Best rated"),
    "newest": _("Newest first"),
}
MODELS = {
    "free": _("Free"),
    "freemium": _("Free and paid"),
    "pass": _("By time"),
    "usage": _("By use"),
}
SUCCESSES = {"90": "90 %", "99": "99 %", "99.9": "99.9 %"}
LATENCIES = {"50": "50 ms", "250": "250 ms", "1000": "1 s", "5000": "5 s"}
PROTOCOLS: dict[str, str] = {name: str(label) for name, label in Service.Protocol.choices}
REGIONS: dict[str, object] = dict(Service.Region.choices)
KEY = re.compile(r"([01])\.(-?[0-9]{1,19})\.([0-9]{1,18})")
INTEGER_MAX = 2**63 - 1


class Key(NamedTuple):
    """Where a row stands in an order: in which part of it, by what, and which row."""

    part: int
    value: int
    service: int

    @classmethod
    def of(cls, text: str) -> "Key | None":
        found = KEY.fullmatch(text)
        if found is None or abs(int(found[2])) > INTEGER_MAX:
            return None
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.part}.{self.value}.{self.service}"


class Order(NamedTuple):
    column: str
    descending: bool

    def key(self, part: int, row: Standing) -> Key:
        value = getattr(row, "order_value", None)
        return Key(part, getattr(row, self.column) if value is None else value, row.pk)


@dataclass(frozen=True, slots=True)
class Search:
    words: str = ""
    category: str = ""
    model: str = ""
    asset: str = ""
    protocol: str = ""
    region: str = ""
    success: str = ""
    latency: str = ""
    trial: str = ""
    verified: str = ""
    order: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "Search":
        """Whatever stands in the address; what makes no sense is left out."""

        def chosen(name: str, known: Sequence[str]) -> str:
            value = query.get(name, "")
            return value if value in known else ""

        return cls(
            words=" ".join(query.get("q", "").replace("\0", "").split())[:SEARCH_LENGTH_MAX],
            category=query.get("category", "")[:63].replace("\0", ""),
            model=chosen("model", [*MODELS]),
            asset=chosen("asset", [*settings.CHAIN.assets]),
            protocol=chosen("protocol", [*PROTOCOLS]),
            region=chosen("region", [*REGIONS]),
            success=chosen("success", [*SUCCESSES]),
            latency=chosen("latency", [*LATENCIES]),
            trial=chosen("trial", ["1"]),
            verified=chosen("verified", ["1"]),
            order=chosen("sort", [*ORDERS]),
        )

    @property
    def filters(self) -> dict[str, str]:
        named = {
            "category": self.category,
            "model": self.model,
            "asset": self.asset,
            "protocol": self.protocol,
            "region": self.region,
            "success": self.success,
            "latency": self.latency,
            "trial": self.trial,
            "verified": self.verified,
        }
        return {name: value for name, value in named.items() if value}

    @property
    def is_narrow(self) -> bool:
        return bool(self.words or self.filters)

    @property
    def is_front(self) -> bool:
        """Nothing is asked for: what is shown is for us to choose."""
        return not (self.is_narrow or self.order)

    @property
    def sort(self) -> str:
        if self.order == "relevance" and not self.words:
            return "popularity"
        return self.order or ("relevance" if self.words else "popularity")

    def address(self, *, after: object = "", before: object = "", **changes: str) -> str:
        """The query string of this search with `changes`, without what is the default."""
        search = replace(self, **changes)
        state = {"q": search.words, **search.filters, "sort": search.order}
        state |= {"after": str(after), "before": str(before)}
        return "?" + urlencode({name: value for name, value in state.items() if value})

    def ordered_by(self) -> Order:
        if self.sort == "price":
            return Order("price__per_hour" if self.asset else "price_key", descending=False)
        if self.sort == "latency":
            return Order("p50_ms", descending=False)
        if self.sort == "rating":
            return Order("rating_key", descending=True)
        if self.sort == "newest":
            return Order("listed_since_s", descending=True)
        return Order("popularity", descending=True)
