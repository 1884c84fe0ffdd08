"""The provider's and the staff's side of the catalogue. One module a resource."""

from marketplace.admin import (
    configuration,
    importing,
    people,
    previewing,
    price,
    proofs,
    provider,
    reviews,
    route,
    service,
    upstreams,
    usage,
)

__all__ = ["configuration", "importing", "people", "previewing", "price", "proofs", "provider"]
__all__ += ["reviews", "route", "service", "upstreams", "usage"]
