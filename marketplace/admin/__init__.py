"""The provider's and the staff's side of the catalogue. One module a resource."""

from marketplace.admin import configuration, people, price, provider, reviews, route, service, usage

__all__ = ["configuration", "people", "price", "provider", "reviews", "route", "service", "usage"]
