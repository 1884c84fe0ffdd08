"""The catalogue's page: shelves where nothing is asked for, else what was found.

All of the state is in the address, so every part of it is a link or a form that works by itself;
with scripts, what changes of the page is put in place of what is there.
"""

from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from marketplace import browsing, searching
from marketplace.belonging import of_members
from marketplace.indexing import catalogue_data
from marketplace.models import Category
from marketplace.searching import Search

Choice = dict[str, object]


def catalogue(request: HttpRequest) -> HttpResponse:
    search = Search.of(request.GET)
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    is_front = search.is_front and not (after or before)
    categories = _categories(search)
    context: dict[str, object] = {
        "search": search,
        "categories": categories,
        "everything": search.address(category=""),
        "fields": _fields(search),
        "removable": _removable(search, categories),
        "orders": _orders(search),
        "front": browsing.front(of_members(request.user)) if is_front else None,
        "page": None if is_front else browsing.page(search, after=after, before=before),
        "noindex": not is_front and search.is_narrow,
        "linked_data": catalogue_data(),
    }
    answer = render(request, "marketplace/catalogue.html", context)
    if "HX-Request" in request.headers:  # An address to hand on: without what nobody chose.
        asked = search.address(after=after, before=before)
        answer.headers["HX-Push-Url"] = request.path + asked.removesuffix("?")
    return answer


def _categories(search: Search) -> list[Choice]:
    return [
        {
            "name": category.name,
            "count": f"{category.service_count:,}",
            "chosen": category.slug == search.category,
            "address": search.address(category=category.slug),
        }
        for category in Category.objects.filter(service_count__gt=0)
    ]


def _choices(known: Mapping[str, object], chosen: str) -> list[Choice]:
    return [
        {"value": value, "label": label, "chosen": value == chosen}
        for value, label in known.items()
    ]


def _orders(search: Search) -> list[Choice]:
    known = dict(searching.ORDERS)
    if not search.words:
        del known["relevance"]
    return _choices(known, search.sort if not search.is_front else "")


def _known() -> dict[str, tuple[str, Mapping[str, object]]]:
    return {
        "model": (_("Price model"), searching.MODELS),
        "asset": (_("Paid in"), {code: code for code in settings.CHAIN.assets}),
        "protocol": (_("Protocol"), searching.PROTOCOLS),
        "region": (_("Runs in"), searching.REGIONS),
        "success": (_("Calls that succeed, at least"), searching.SUCCESSES),
        "latency": (_("Answers within, at the median"), searching.LATENCIES),
    }


def _fields(search: Search) -> list[Choice]:
    return [
        {
            "name": name,
            "label": label,
            "choices": _choices(known, search.filters.get(name, "")),
        }
        for name, (label, known) in _known().items()
    ]


def _removable(search: Search, categories: list[Choice]) -> list[Choice]:
    """Each filter that narrows, with the address of the same search without it."""
    known = _known()
    named: dict[str, object] = {"trial": _("Free trial"), "verified": _("Verified provider")}
    named["category"] = next((each["name"] for each in categories if each["chosen"]), _("Category"))
    found: list[Choice] = []
    for name, value in search.filters.items():
        label = known[name][1][value] if name in known else named[name]
        prefix = {"success": "≥ ", "latency": "≤ "}.get(name, "")
        found.append({"label": f"{prefix}{label}", "address": search.address(**{name: ""})})
    return found
