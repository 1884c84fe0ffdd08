from dataclasses import dataclass

from django.test import Client

from marketplace.models import Provider, RouteQuote

SEVERAL = {
    "balancing": "round_robin",
    "health_interval_ms": 2_000,
    "health_timeout_ms": 1_000,
    "unhealthy_after": 3,
    "healthy_after": 2,
}
"""What the service's form shows before anybody changes it."""


@dataclass
class People:
    alba: Provider
    bruno: Provider
    sold: RouteQuote  # Alba's
    theirs: RouteQuote  # Bruno's
    as_alba: Client
    as_bruno: Client
    as_staff: Client


def price_fields(**changes: object) -> dict[str, object]:
    """What the browser sends for the price form, with nothing limited."""
    lines = ("calls", "calls_too", "down", "up", "both", "credits")
    fields: dict[str, object] = {f"{line}_amount": "" for line in lines}
    fields |= {f"{line}_renews": "" for line in lines}
    fields |= {f"{line}_unit": "MB" for line in ("down", "up", "both")}
    fields |= {"credits_per_call": "", "credits_max_per_call": ""}
    fields |= {"price": "2.5", "asset": "USDC", "access_count": "1", "access_unit": "day"}
    fields |= {"starts": "purchase", "charge": "success"}
    return fields | changes


def management(prefix: str, total: int, initial: int) -> dict[str, object]:
    return {
        f"{prefix}-TOTAL_FORMS": total,
        f"{prefix}-INITIAL_FORMS": initial,
        f"{prefix}-MIN_NUM_FORMS": 0,
        f"{prefix}-MAX_NUM_FORMS": 1000,
    }
