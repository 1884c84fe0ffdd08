"""Endpoints: whose they are, which address is allowed, and their secrets.

An address is a stranger's word, so it is held to the rules for upstreams (gateway/addresses.py):
checked here, when it is saved, and again at each connection, which goes to a checked address.
"""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from billing.domain import webhooks
from billing.models import WebhookEndpoint
from gateway.addresses import AddressRefused, Place, Policy, check_upstream, parse
from marketplace.models import Provider

Owner = AbstractBaseUser | Provider
ENDPOINTS_MAX = 10


class TooManyEndpoints(ValueError):
    pass


def of(owner: Owner) -> QuerySet[WebhookEndpoint]:
    if isinstance(owner, Provider):
        return WebhookEndpoint.objects.filter(provider=owner)
    return WebhookEndpoint.objects.filter(user_id=owner.pk)


def register(
    owner: Owner, url: str, *, events: Sequence[str], description: str = "", now_s: float
) -> WebhookEndpoint:
    """Raises AddressRefused, Unresolvable, TooManyEndpoints: each says why, for whoever asked."""
    check(url, is_seller=isinstance(owner, Provider))
    if of(owner).count() >= ENDPOINTS_MAX:
        raise TooManyEndpoints(f"At most {ENDPOINTS_MAX} addresses: remove one first.")
    whose = {"provider": owner} if isinstance(owner, Provider) else {"user_id": owner.pk}
    return WebhookEndpoint.objects.create(
        **whose,
        url=url.strip(),
        events=list(events),
        description=description,
        secret=_new_secret(),
        created_at_s=int(now_s),
    )


def replace_secret(endpoint: WebhookEndpoint, *, now_s: float) -> None:
    """For a day messages are signed by both."""
    endpoint.former_secret, endpoint.secret = endpoint.secret, _new_secret()
    endpoint.former_until_s = int(now_s) + webhooks.FORMER_SECRET_SECONDS
    endpoint.save(update_fields=["secret", "former_secret", "former_until_s"])


def enable(endpoint: WebhookEndpoint) -> None:
    endpoint.disabled_at_s, endpoint.disabled_because = None, ""
    endpoint.failures, endpoint.failing_since_s = 0, None
    endpoint.save(
        update_fields=["disabled_at_s", "disabled_because", "failures", "failing_since_s"]
    )


def place_of(url: str) -> Place:
    """Where this is, read as an upstream's address is; its query is the endpoint's own."""
    parts = urlsplit(url.strip())
    place = parse(parts._replace(query="").geturl())
    if place.scheme not in {"http", "https"}:
        raise AddressRefused("A webhook's address begins with https:// (or http://).")
    if settings.PRODUCTION and not place.is_secure:
        raise AddressRefused("A webhook's address begins with https://.")
    return place


def policy(*, is_seller: bool) -> Policy:
    """What staff opened for the upstreams of providers is not open to whoever signs up."""
    networks = settings.UPSTREAM_NETWORKS if is_seller or not settings.PRODUCTION else ()
    return Policy.of(networks, settings.OWN_ADDRESSES)


def check(url: str, *, is_seller: bool) -> None:
    place_of(url)
    address = urlsplit(url.strip())._replace(query="").geturl()
    check_upstream(address, policy(is_seller=is_seller))


def _new_secret() -> str:
    return webhooks.secret(secrets.token_bytes(webhooks.SECRET_BYTES))
