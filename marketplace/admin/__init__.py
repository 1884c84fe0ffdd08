"""The provider's and the staff's side of the catalogue. One module a resource."""

from marketplace.admin import (
    configuration,
    importing,
    people,
    previewing,
    price,
    provider,
    reviews,
    route,
    service,
    usage,
)

__all__ = ["configuration", "importing", "people", "previewing", "price", "provider", "reviews"]
__all__ += ["route", "service", "usage"]
