"""Carla, who buys; Dora, who buys elsewhere; and what they bought."""

import time
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.test import Client

from billing import granting
from billing.domain.purchases import State
from billing.models import Purchase
from gateway.models import UsageMinute
from tests.billing.buying import CALLS, Person, person, quote_for

PASSWORD = "a long password"


@dataclass
class Buyer:
    user: User
    wallet: Person
    client: Client


def buyer(name: str) -> Buyer:
    user = User.objects.create_user(name, f"{name}@consumer.example", PASSWORD)
    client = Client()
    client.force_login(user)
    return Buyer(user, person(name), client)


def granted(
    wallet: Person, *, owner: User | None = None, at_s: float | None = None, **terms: object
) -> Purchase:
    """A purchase that was paid and granted at `at_s`, without the chain."""
    now_s = time.time() if at_s is None else at_s
    quote = quote_for(person("payee").address, **terms)
    number = Purchase.objects.count() + 1
    purchase = Purchase.objects.create(
        id=f"{number:064x}",
        state=State.CONFIRMED if quote.amount else State.AUTHORIZED,
        moved_at_s=int(now_s),
        created_at_s=int(now_s),
        authorized_at_s=int(now_s),
        paid_at_s=int(now_s),
        paid_ledger=1_000,
        paid_tx_hash=f"{number:064d}",
        network="sandbox",
        contract="C",
        buyer=wallet.address,
        access_key=wallet.key.hex(),
        digest=quote.digest,
        route=quote.route,
        asset=quote.sac,
        asset_code=quote.asset,
        amount=quote.amount,
        fee=quote.fee,
        payee=quote.payee,
        treasury=quote.treasury,
        quote=quote.to_json(),
        expires_at_s=quote.expires_at,
        signing_hash=f"{number:064x}",
        owner=owner,
    )
    granting.issue(purchase.pk, now_s=now_s)
    purchase.refresh_from_db()
    return purchase


def used(purchase: Purchase, *, minute: object, **counts: object) -> UsageMinute:
    return UsageMinute.objects.create(
        grant=purchase.pk, route=purchase.route, minute=minute, **counts
    )


__all__ = ["CALLS", "Buyer", "buyer", "granted", "used"]
