"""Offers to begin with: what providers mostly sell, each a plan that can be changed."""

from dataclasses import dataclass

from marketplace.domain.quotes import JsonObject

HOUR, DAY = 3_600, 86_400
CALLS, RATE, CONCURRENCY = "calls", "rate", "concurrency"


@dataclass(frozen=True, slots=True)
class Template:
    key: str
    name: str
    why: str
    price: str
    access_seconds: int
    limits: tuple[JsonObject, ...] = ()


def _calls(count: int) -> JsonObject:
    return {"kind": CALLS, "count": count, "window_seconds": None}


def _rate(count: int, window_s: int) -> JsonObject:
    return {"kind": RATE, "count": count, "window_seconds": window_s}


TEMPLATES = (
    Template(
        "trial",
        "Trial",
        "Free, and enough to see whether it fits; the page's own console hands it out.",
        "0",
        600,
        (_calls(20), _rate(2, 1)),
    ),
    Template(
        "starter",
        "Starter",
        "For somebody who builds something: a day, a thousand calls.",
        "1",
        DAY,
        (_calls(1_000), _rate(5, 1)),
    ),
    Template(
        "pro",
        "Pro",
        "For a product: thirty days, a hundred thousand calls.",
        "25",
        30 * DAY,
        (_calls(100_000), _rate(20, 1), {"kind": CONCURRENCY, "count": 10}),
    ),
    Template(
        "day",
        "Unlimited day pass",
        "As many calls as one likes for a day, at a pace that your API can take.",
        "5",
        DAY,
        (_rate(10, 1), {"kind": CONCURRENCY, "count": 4}),
    ),
    Template(
        "hour",
        "Hour pass",
        "Small and cheap: an hour, five hundred calls.",
        "0.1",
        HOUR,
        (_calls(500),),
    ),
)
BY_KEY = {template.key: template for template in TEMPLATES}
