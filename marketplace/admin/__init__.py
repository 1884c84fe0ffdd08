"""The provider's and the staff's side of the catalogue. One module a resource."""

from marketplace.admin import people, price, provider, route, service, usage

__all__ = ["people", "price", "provider", "route", "service", "usage"]
