"""The provider's and the staff's side of the catalogue. One module a resource."""

from marketplace.admin import prices, providers, routes, services

__all__ = ["prices", "providers", "routes", "services"]
