"""What a service's buyers can call: the operations of its document that a route sells.

Where no document was imported, each route is described by what the gate knows of it: its path, with
everything below.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketplace.domain.covering import Covering, cover
from marketplace.domain.openapi import Body, Document, Operation, Parameter
from marketplace.models import Route, RouteQuote

Sold = Sequence[tuple[Route, Sequence[RouteQuote]]]
"""A service's routes with the prices of each that are on sale."""

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
USUAL = ("GET", "POST")
"""Shown of a route that takes any method."""
BELOW = "path"
"""The parameter of a route without a document: what comes after the route's own path."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    operation: Operation
    route: Route
    prices: Sequence[RouteQuote]
    described: bool
    """By the provider's document; else by the route alone."""


def endpoints(sold: Sold, document: Document | None) -> list[Endpoint]:
    if document is None:
        return [each for route, prices in sold for each in _undescribed(route, prices)]
    covering = coverings(sold)
    by_route = {route.pk: (route, prices) for route, prices in sold}
    found = []
    for operation in document.operations:
        key = cover(covering, operation.path, operation.method)
        if key is not None:
            found.append(Endpoint(operation, *by_route[key], described=True))
    described = {each.route.pk for each in found}
    rest = [(route, prices) for route, prices in sold if route.pk not in described]
    return found + [each for route, prices in rest for each in _undescribed(route, prices)]


def coverings(sold: Sold) -> list[tuple[int, Covering]]:
    return [(route.pk, Covering(route.path, route.methods)) for route, _ in sold]


def _undescribed(route: Route, prices: Sequence[RouteQuote]) -> Iterable[Endpoint]:
    for method in route.methods or USUAL:
        operation = Operation(
            method=method,
            path=f"{route.path.rstrip('/')}/{{{BELOW}}}",
            summary=route.name,
            description=route.description,
            tag="",
            parameters=(Parameter(BELOW, "path", False, "What comes after it.", {}),),
            body=Body("application/json", False, {}) if method in WITH_BODY else None,
            streams=False,
        )
        yield Endpoint(operation, route, prices, described=False)
