"""A small shop for tests: somebody who sells, what is sold, and its price."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from stellar_sdk import Keypair

from marketplace import listing, pricing
from marketplace.models import Provider, Route, RouteQuote, Service, Upstream

NOW_S = 1_790_000_100
NOW = datetime.fromtimestamp(NOW_S, UTC)


def account(label: str) -> str:
    """A valid Stellar account that is the same in every run."""
    return Keypair.from_raw_ed25519_seed(hashlib.sha256(label.encode()).digest()).public_key


def provider(name: str = "Alba") -> Provider:
    owner = User.objects.create_user(username=name.lower(), is_staff=True)
    return Provider.objects.create(
        owner=owner, name=name, slug=name.lower(), payout_address=account(name)
    )


def service(owner: Provider, slug: str = "weather", **fields: object) -> Service:
    fields = {"state": Service.State.PUBLISHED, "tagline": f"The {slug}, by the hour."} | fields
    made = Service.objects.create(provider=owner, slug=slug, name=slug.title(), **fields)
    Upstream.objects.create(service=made, url="http://127.0.0.1:9000/base")
    listing.refresh([made.pk])
    return made


def route(of: Service, slug: str = "forecast", **fields: object) -> Route:
    fields = {"path": f"/{slug}", "name": slug.title()} | fields
    return Route.objects.create(service=of, slug=slug, **fields)


def draft(of: Route, name: str = "Hour pass", **fields: object) -> RouteQuote:
    terms: dict[str, Any] = {
        "amount": 2_500_000,
        "asset": "USDC",
        "access_seconds": 3_600,
        "limits": [{"kind": "calls", "count": 1_000}],
    }
    return pricing.save_draft(RouteQuote(route=of, name=name, **(terms | fields)))


def price(of: Route, name: str = "Hour pass", **fields: object) -> RouteQuote:
    return pricing.publish(draft(of, name, **fields), NOW)


def stall(name: str = "Alba", slug: str = "weather") -> RouteQuote:
    """A provider, a service, a route and one price on sale."""
    return price(route(service(provider(name), slug)))
