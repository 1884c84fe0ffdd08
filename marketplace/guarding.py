"""Guards as they are about to be saved: whether they may be, and from when on they bind.

They bind grants that are bought after they were set or made tighter. Whoever holds a grant, or a
signed quote that can still become one, bought without them.
"""

from collections.abc import Collection, Iterator

from gateway.domain import reading
from gateway.domain.guards import Guard, read_guard, tightens
from gateway.domain.limits import parse_limits
from marketplace import holding, quoting
from marketplace.domain.undercutting import undercut
from marketplace.guarded import Guarded
from marketplace.models import Route, RouteQuote, Service

QUOTE_SECONDS_MAX = quoting.SLOT_SECONDS + quoting.VALID_AFTER_SLOT_SECONDS


def guard_of(row: Guarded, service: Service | None = None) -> Guard:
    """What the gate makes of a service's row, or of a route's row in that service."""
    default = Guard() if service is None else guard_of(service)
    return read_guard(reading.Object({"guards": row.said_guards()}, "guards"), default)


def undercuts(after: Service | Route, routes: Collection[Route]) -> Iterator[str]:
    """Prices on sale whose limits nobody could use up; `after` is what is about to be saved."""
    prices = RouteQuote.objects.on_sale().filter(route__in=routes).select_related("route__service")
    for price in prices:
        route, service = price.route, price.route.service
        guard = guard_of(route, after) if isinstance(after, Service) else guard_of(after, service)
        if said := undercut(guard, parse_limits(price.limits), price.access_seconds):
            yield f"{route}, {price.name}: {said}."


def binds_from(
    before: Service | Route, after: Service | Route, routes: Collection[Route], now_s: float
) -> int:
    """The moment from which on bought grants are bound by `after`."""
    if not routes or holding.hold(routes, now_s) is None:
        return before.guards_since_s  # Nobody has bought, or can buy, without them.
    service = after.service if isinstance(after, Route) else None
    if not tightens(guard_of(after, service), guard_of(before, service)):
        return before.guards_since_s
    return int(now_s) + QUOTE_SECONDS_MAX
