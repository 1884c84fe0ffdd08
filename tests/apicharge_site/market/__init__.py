"""A market in which everything has happened, for tests and pictures of its pages.

    print(json.dumps(market.open_market(upstream)))

It is opened in a server's environment (RunningServer.python), and says where one can go in it.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.test import Client

from accounts import inviting, memberships
from accounts.models import Membership, Organisation, Wallet
from billing import asking, halting, vouchers
from billing.domain.discrepancies import Finding
from billing.domain.purchases import State
from billing.models import (
    Discrepancy,
    Purchase,
    Refund,
    ServiceReport,
    WebhookDelivery,
    WebhookEndpoint,
)
from billing.pages import addresses
from marketplace import configuring, listing, publishing
from marketplace.models import Provider, Review, RouteQuote, Service, Upstream
from tests.apicharge_site.market import shelves, streets, trade, wares
from tests.billing.buying import person

STATES = [state for state in State if state is not State.INSTRUCTED]
PASSWORD = "quite-a-long-word-4711"


def open_market(upstream: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    shelves.stock(now, upstream)
    people = {
        "buyer": User.objects.create_user("carla", "carla@example.org", PASSWORD),
        "provider": Provider.objects.get(slug="alba").owner,
        "staff": User.objects.create_superuser("staff", "staff@example.org", PASSWORD),
    }
    for user in people.values():
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    trade.weeks(now)
    bought = _bought(people["buyer"], now)
    values = _values(people, bought, now)
    _noticed(bought, people["provider"].provider, now)
    with transaction.atomic():
        publishing.publish_everything()
    listing.refresh(Service.objects.values_list("pk", flat=True), now)
    return _ways(people, values) | {"states": _states(now), "grant": bought.pk}


def _bought(buyer: User, now: datetime) -> Purchase:
    """By one who is logged in: some that run, some that are over. The first is the liveliest."""
    prices = {str(each.name): each for each in RouteQuote.objects.on_sale()}
    row = trade.bought(prices["Week pass"], now - timedelta(days=4), owner=buyer)
    minutes = [now.replace(second=0, microsecond=0) - timedelta(minutes=9 * n) for n in range(600)]
    trade.used(row, prices["Week pass"], minutes, busy=40)
    trade.called(row, prices["Week pass"], now)
    for name, hours in (("Credits", 3), ("Hour", 30), ("Month", 60), ("Hour pass", 90)):
        trade.bought(prices[name], now - timedelta(hours=hours), owner=buyer)
    return row


def _values(people: dict[str, User], bought: Purchase, now: datetime) -> streets.Values:
    buyer, provider = people["buyer"], people["provider"].provider
    organisation = Organisation.objects.create(name="Weather Desk", slug="weather-desk")
    memberships.found(organisation, buyer)
    own = Membership.objects.get(user=buyer)
    asked = inviting.invite(own, "dora@example.org", Membership.Role.MEMBER, now=now)
    codes = {"seed": "AAAA", "used_mask": 0}
    for kind, kept in (("totp", {"secret": "AAAA"}), ("recovery_codes", codes)):
        Authenticator.objects.create(user=provider.owner, type=kind, data=kept)
    wallet = Wallet.objects.create(address=person("carla").address, user=buyer)
    now_s = now.timestamp()
    told = _told("https://hooks.weather-desk.example/grants", "grant.limit", now_s, user=buyer)
    hook = _told("https://meteo-alba.example/sales", "sale.made", now_s, provider=provider)
    document = configuring.export(provider)
    applied = configuring.apply(
        configuring.plan(provider, document), actor="alba", reason="Winter prices", now=now
    )
    service = {"slug": "forecast", "route_slug": "point"}
    upstream = Upstream.objects.get(service__slug="forecast").pk
    return {
        "services/": service | {"pk": Review.objects.latest("pk").pk},
        "checkout/": service,
        "providers/": {"slug": "alba"},
        "problems/": {"slug": "quota-exhausted"},
        "sitemap-": {"part": 1},
        "purchases/": {"purchase_id": bought.pk, "secret": addresses.secret(bought.pk)},
        "account/purchases/": {"purchase_id": bought.pk},
        "account/grants/": {"grant_id": bought.pk, "by": "hour"},
        "account/notices/webhooks/": {"pk": told.pk, "act": "send"},
        "accounts/organisations/": {
            "slug": organisation.slug,
            "member_id": own.pk,
            "invitation_id": asked.pk,
        },
        "accounts/invitations/": {"token": signing.dumps(asked.pk, salt=inviting.SALT)},
        "accounts/wallets/": {"wallet_id": wallet.pk},
        "accounts/2fa/webauthn/keys/": {"pk": 1},
        "sell/payout/cancel/": {"token": "none"},
        "admin/webhooks/": {"pk": hook.pk},
        "admin/configuration/": {"number": getattr(applied, "number", 1)},
        "admin/marketplace/service/<int:pk>/upstreams/": {
            "pk": Service.objects.get(slug="forecast").pk,
            "upstream": upstream,
        },
    }


def _told(url: str, event: str, now_s: float, **owner: object) -> WebhookEndpoint:
    """An endpoint, and what it was told."""
    endpoint = WebhookEndpoint.objects.create(
        url=url, secret="whsec_AAAA", created_at_s=int(now_s) - wares.WEEK, **owner
    )
    for number, status in enumerate((200, 500, 200)):
        at_s = int(now_s) - 3_600 * (number + 1)
        WebhookDelivery.objects.create(
            id=f"msg_{endpoint.pk}_{number}",
            endpoint=endpoint,
            event=event,
            key=str(number),
            body="{}",
            state="delivered" if status == 200 else "failed",
            created_at_s=at_s,
            attempts=1,
            log=[{"at_s": at_s, "status": status, "took_ms": 84, "problem": ""}],
        )
    return endpoint


def _noticed(bought: Purchase, provider: Provider, now: datetime) -> None:
    """What a provider and staff have to look at."""
    now_s = now.timestamp()
    price = RouteQuote.objects.get(name="Week pass")
    until_s = int(now_s) + wares.WEEK
    vouchers.issue(
        price, count=2, uses=5, until_s=until_s, note="Hackathon", actor="alba", now_s=now_s
    )
    reason = "Two evenings in a row half of the answers were empty."
    asking.ask(bought, reason=reason, asked_by="carla", now_s=now_s)
    other = Service.objects.get(slug="filings")
    ServiceReport.objects.create(
        service=other,
        purchase=bought,
        reason=ServiceReport.Reason.MISLEADING,
        text="It says four million companies; the Baltics are missing.",
        reported_at_s=int(now_s) - 7_200,
    )
    halting.suspend(
        Service.objects.get(slug="ticks"),
        reason="Its upstream serves data that its licence does not allow to be sold on.",
        ends_grants=False,
        actor="staff",
        now_s=now_s,
    )
    Service.objects.filter(slug="embeddings").update(is_held=True)
    Discrepancy.objects.create(
        finding=Finding.AMOUNT_DIFFERS.value,
        subject=bought.pk,
        detail="The chain says 4.4 USDC, the row 4.5 USDC.",
        first_seen_at_s=int(now_s) - 7_200,
        last_seen_at_ms=int(now_s * 1000),
    )
    Refund.objects.create(
        id="5e" * 32,
        purchase=bought,
        provider=provider,
        state="prepared",
        moved_at_s=int(now_s),
        created_at_s=int(now_s),
        reason="Half of the answers were empty.",
        network=bought.network,
        payer=bought.payee,
        receiver=bought.buyer,
        asset=bought.asset,
        asset_code=bought.asset_code,
        amount=bought.amount // 2,
        tx_hash="5f" * 32,
        envelope="AAAA",
        last_moment_s=int(now_s) + 3_600,
        built_at_ledger=51_204_000,
    )


def _states(now: datetime) -> list[str]:
    """The page of a purchase in each of its states but the first, which needs a network."""
    price = RouteQuote.objects.on_sale().get(name="Day pass", route__service__slug="forecast")
    rows = [trade.stranger(price, now - timedelta(minutes=4), state) for state in STATES]
    return [addresses.path(row.pk) for row in rows]


def _ways(people: dict[str, User], values: streets.Values) -> dict[str, Any]:
    """Where each of them finds a page, and the session of each who has one."""
    host = urlsplit(settings.ORIGIN).netloc
    clients = {"visitor": Client(headers={"host": host})}
    for name, user in people.items():
        clients[name] = Client(headers={"host": host})
        clients[name].force_login(user, settings.AUTHENTICATION_BACKENDS[0])
        session = clients[name].session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session.save()
    site = list(streets.of_site(values, people["buyer"]))
    found: dict[str, list[str]] = {}
    for name in ("visitor", "buyer", "provider"):
        known = {address for ways in found.values() for address in ways}
        found[name] = streets.pages(site, clients[name], lambda one, known=known: one not in known)
    for name in ("provider", "staff"):
        console = streets.of_console(values, people[name])
        found[name] = found.get(name, []) + streets.pages(console, clients[name], lambda _: True)
    sessions = {
        name: client.session.session_key for name, client in clients.items() if name in people
    }
    return {"ways": found, "sessions": sessions}
