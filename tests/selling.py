"""A service to sell in end-to-end tests. Run inside a server's environment: see RunningServer.sell.

{"slug": "files", "upstream": "http://127.0.0.1:9000", "payee": "G…", "routes": [
    {"slug": "all", "path": "/", "methods": [], "quotes": [
        {"name": "Pass", "amount": 0, "asset": "USDC", "access_seconds": 3600, "limits": []}
    ]}
]}
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from marketplace import pricing, publishing
from marketplace.models import Provider, Route, RouteQuote, Service, Upstream


@transaction.atomic
def sell(service: Mapping[str, Any]) -> None:
    owner, _ = User.objects.get_or_create(username="seller", defaults={"is_staff": True})
    provider, _ = Provider.objects.get_or_create(
        owner=owner,
        defaults={"name": "Seller", "slug": "seller", "payout_address": service["payee"]},
    )
    row = Service.objects.create(
        provider=provider,
        name=service["slug"],
        slug=service["slug"],
        tagline="For tests.",
        state=Service.State.PUBLISHED,
    )
    Upstream.objects.create(service=row, url=service["upstream"])
    for route in service["routes"]:
        quotes = route.pop("quotes")
        route_row = Route.objects.create(service=row, name=route["slug"], **route)
        for quote in quotes:
            draft = pricing.save_draft(RouteQuote(route=route_row, **quote))
            pricing.publish(draft, timezone.now())
    publishing.publish([row.pk])
