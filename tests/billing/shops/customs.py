"""Purchases and usage of a shop as rows, without a network in between."""

import hashlib
from datetime import datetime, timedelta

from billing.models import GrantedToken, Purchase
from gateway.domain.chronicle import BUCKETS
from gateway.models import UsageMinute
from marketplace.models import RouteQuote
from tests.marketplace import shop


def purchase(
    price: RouteQuote, buyer: str, at: datetime, *, state: str = "granted", number: int = 0
) -> Purchase:
    at_s = int(at.timestamp())
    words = f"{price.pk} {buyer} {at_s} {number}"
    payee = price.route.service.provider.payout_address
    granted = state == "granted"
    row = Purchase.objects.create(
        id=hashlib.sha256(words.encode()).hexdigest(),
        state=state,
        moved_at_s=at_s,
        created_at_s=at_s,
        network="sandbox",
        contract="C" * 56,
        buyer=shop.account(buyer),
        access_key="ab" * 32,
        digest=hashlib.sha256(str(price.pk).encode()).hexdigest(),
        route=price.route.identifier,
        asset="C" * 56,
        asset_code=price.asset,
        amount=price.amount,
        fee=0,
        payee=payee,
        treasury=payee,
        quote={},
        expires_at_s=at_s + 900,
        signing_hash="cd" * 32,
        authorized_at_s=at_s if granted else None,
        paid_ledger=7 if granted else None,
        paid_at_s=at_s if granted else None,
    )
    if granted:
        until = at_s + price.access_seconds
        GrantedToken.objects.create(
            purchase=row, token="t", kid="k", expires_at_s=until, created_at_s=at_s
        )
    return row


def minute(price: RouteQuote, at: datetime, grant: str = "", **counts: object) -> UsageMinute:
    latencies = [0] * BUCKETS
    fields = {"calls": 10, "latencies": latencies} | counts
    calls = fields["calls"]
    assert isinstance(calls, int)
    latencies[4] = calls
    return UsageMinute.objects.create(
        minute=at.replace(second=0, microsecond=0),
        grant=grant,
        route=price.route.identifier,
        provider=price.route.service.provider_id,
        **fields,
    )


def minutes(price: RouteQuote, since: datetime, count: int, grant: str = "") -> None:
    for number in range(count):
        minute(price, since + timedelta(minutes=number), grant)
