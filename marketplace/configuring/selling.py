"""The prices of a document: what is on sale and said otherwise becomes a new version."""

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.limits import parse_limits
from marketplace import guarding, pricing
from marketplace.configuring import exporting
from marketplace.configuring.fields import Said
from marketplace.domain import plans
from marketplace.domain.undercutting import undercut
from marketplace.models import Route, RouteQuote

State = RouteQuote.State
PUBLISHED, DRAFT = State.PUBLISHED.value, State.DRAFT.value


def prices(route: Route, said: Sequence[Said], now: datetime) -> list[str]:
    """Returns what is wrong."""
    live = RouteQuote.objects.filter(route=route).exclude(state=State.RETIRED)
    rows = {(row.name, row.state): row for row in live}
    wanted = {(each["name"], each["state"]): each for each in said}
    wrong = [f"{each['name']}: {problem}" for each in said if (problem := _problem(route, each))]
    if wrong:
        return wrong
    for name in dict.fromkeys(name for name, _state in [*wanted, *rows]):
        _published(route, rows, wanted, name, now)
    return []


def _published(
    route: Route,
    rows: dict[tuple[str, str], RouteQuote],
    wanted: dict[tuple[str, str], Said],
    name: str,
    now: datetime,
) -> None:
    """There is one draft of a name at a time, and a new version begins as one."""
    sold, draft = rows.get((name, PUBLISHED)), rows.get((name, DRAFT))
    to_sell, to_keep = wanted.get((name, PUBLISHED)), wanted.get((name, DRAFT))
    sells_anew = to_sell is not None and not _is(sold, to_sell)
    if draft is not None and (sells_anew or not _is(draft, to_keep)):
        draft.delete()
        draft = None
    if to_sell is not None and sells_anew:
        pricing.publish(pricing.save_draft(_row(route, to_sell)), now)
    elif to_sell is None and sold is not None:
        pricing.retire(sold, now)
    if to_keep is not None and draft is None:
        pricing.save_draft(_row(route, to_keep))


def _is(row: RouteQuote | None, said: Said | None) -> bool:
    return row is not None and said is not None and exporting.price(row) == said


def _row(route: Route, said: Said) -> RouteQuote:
    return RouteQuote(
        route=route,
        name=said["name"],
        amount=plans.parse_amount(said["price"]),
        asset=said["asset"],
        access_seconds=said["access_seconds"],
        starts=said["starts"],
        charge=said["charge"],
        adjustable=said["adjustable"],
        meter=said["meter"],
        limits=said["limits"],
    )


def _problem(route: Route, said: Said) -> str | None:
    """What no schema can say: the guards of its route would make the limits useless."""
    if not said["name"]:
        return "a name is missing."
    guard = guarding.guard_of(route, route.service)
    limits = parse_limits(said["limits"])
    taken = undercut(guard, limits, said["access_seconds"])
    return f"the route's guards would take away what is sold: {taken}." if taken else None
