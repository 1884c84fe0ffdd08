"""What was bought there and how it was used, without a chain: rows as the product writes them."""

import random
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import F

from billing import granting
from billing.domain.purchases import State
from billing.models import Payment, Purchase
from billing.models.shops import RouteDay
from billing.shops import summing
from gateway.domain.chronicle import BUCKETS
from gateway.models import LimiterLedger, RecentCall, UsageMinute
from marketplace import quoting
from marketplace.domain.quotes import SignedQuote
from marketplace.models import RouteQuote
from tests.billing.buying import person

REASONS = {
    State.EXPIRED: ("quote-expired", "Nobody signed before the quote's end."),
    State.REJECTED: ("payment-rejected", "The account does not hold enough USDC."),
    State.FAILED: ("payment-failed", "The call was applied and failed."),
}
PAID = (State.CONFIRMED, State.GRANTED)


def bought(
    price: RouteQuote,
    at: datetime,
    *,
    buyer: str = "carla",
    owner: User | None = None,
    state: State = State.GRANTED,
) -> Purchase:
    """In any state, signed by nobody."""
    signed = quoting.signed(price, at.timestamp())
    row = _row(signed, int(at.timestamp()), buyer)
    row.owner = owner
    row.state = State.AUTHORIZED if state is State.GRANTED and not row.amount else state
    if state is State.GRANTED and row.amount:
        row.state = State.CONFIRMED
    row.problem, row.problem_detail = REASONS.get(state, ("", ""))
    if state is not State.INSTRUCTED:
        row.authorized_at_s = row.created_at_s + 20
    if state in PAID:
        row.paid_at_s, row.paid_ledger = row.created_at_s + 25, 51_204_000 + row.created_at_s % 9973
        row.paid_tx_hash = row.signing_hash
    row.save()
    if state in PAID and row.amount:
        _payment(row)
    if state is State.GRANTED:
        granting.issue(row.pk, now_s=row.created_at_s + 26)
    return row


def _row(signed: SignedQuote, at_s: int, buyer: str) -> Purchase:
    number = Purchase.objects.count() + 1
    name = random.Random(f"{number} {at_s}").randbytes(32).hex()
    return Purchase(
        id=name,
        moved_at_s=at_s + 26,
        created_at_s=at_s,
        network="sandbox",
        contract="C" * 56,
        buyer=person(buyer).address,
        access_key=person(buyer).key.hex(),
        digest=signed.digest,
        route=signed.route,
        asset=signed.sac,
        asset_code=signed.asset,
        amount=signed.amount,
        fee=signed.fee,
        payee=signed.payee,
        treasury=signed.treasury,
        quote=signed.to_json(),
        expires_at_s=at_s + 900,
        signing_hash=random.Random(name).randbytes(32).hex(),
    )


def _payment(row: Purchase) -> None:
    assert row.paid_at_s is not None
    assert row.paid_ledger is not None
    Payment.objects.create(
        network=row.network,
        tx_hash=row.paid_tx_hash,
        ledger=row.paid_ledger,
        closed_at_s=row.paid_at_s,
        purchase_ref=row.pk,
        buyer=row.buyer,
        digest=row.digest,
        access_key=row.access_key,
        asset=row.asset,
        amount=row.amount,
        fee=row.fee,
        payee=row.payee,
        treasury=row.treasury,
        standing=Payment.Standing.MATCHED,
        seen_at_s=row.paid_at_s,
    )


def used(purchase: Purchase, price: RouteQuote, minutes: list[datetime], busy: int) -> None:
    chance = random.Random(purchase.pk)
    rows = []
    for minute in minutes:
        latencies = [0] * BUCKETS
        for bucket in (3, 4, 4, 5, 6):
            latencies[bucket] += chance.randint(0, busy)
        calls = sum(latencies)
        rows.append(
            UsageMinute(
                minute=minute,
                grant=purchase.pk,
                route=purchase.route,
                provider=price.route.service.provider_id,
                calls=calls,
                bytes_up=40 * calls,
                bytes_down=chance.randint(2_000, 60_000) * calls,
                upstream_failures=int(chance.random() < 0.05),
                latencies=latencies,
                refusals={"rate-exceeded": chance.randint(1, 4)} if chance.random() < 0.1 else {},
            )
        )
    UsageMinute.objects.bulk_create(rows)


def called(purchase: Purchase, price: RouteQuote, now: datetime) -> None:
    """Its latest calls, and how full that makes its limits."""
    lines = [
        ("GET", "/v1/forecast", 200, "completed", 38),
        ("GET", "/v1/forecast", 200, "completed", 44),
        ("GET", "/v1/forecast", None, "rate-exceeded", None),
        ("GET", "/v1/forecast", 404, "completed", 21),
        ("GET", "/v1/forecast", 200, "completed", 35),
        ("GET", "/v1/forecast", 502, "completed", 340),
        ("GET", "/v1/forecast", 200, "completed", 41),
    ]
    RecentCall.objects.bulk_create(
        RecentCall(
            grant=purchase.pk,
            route=purchase.route,
            provider=price.route.service.provider_id,
            at=now - timedelta(seconds=7 * (len(lines) - place)),
            method=method,
            path=path,
            status=status,
            end=end,
            bytes_up=0,
            bytes_down=4_812 if status else 0,
            credits=0,
            messages=0,
            answered_in_ms=answered,
        )
        for place, (method, path, status, end, answered) in enumerate(lines)
    )
    for limiter in LimiterLedger.objects.filter(grant=purchase.pk):
        LimiterLedger.objects.filter(pk=limiter.pk).update(used=limiter.limit * 83 // 100)


def weeks(now: datetime) -> None:
    """Two of them, in which strangers bought what is on sale, and used it."""
    chance = random.Random(11)
    prices = list(RouteQuote.objects.on_sale().filter(route__service__provider__slug="alba"))
    for day in range(14, 0, -1):
        for _ in range(chance.randint(1, 4)):
            at = now - timedelta(days=day, minutes=chance.randint(0, 1_300))
            price = chance.choice(prices)
            row = bought(price, at, buyer=f"stranger {chance.randint(0, 9)}")
            begun = at.replace(second=0, microsecond=0)
            step = max(1, price.access_seconds // 60 // 20)
            minutes = [begun + timedelta(minutes=step * one) for one in range(1, 20)]
            used(row, price, [one for one in minutes if one < now], busy=30)
    summing.sum_up(now)
    RouteDay.objects.update(views=F("calls") / 160 + 3)


def stranger(price: RouteQuote, at: datetime, state: State) -> Purchase:
    return bought(price, at, buyer=f"stranger {state}", state=state)
