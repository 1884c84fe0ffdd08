"""What was bought in the large catalogue of `shops.py`: purchases, grants, payments, their days.

The grants are those that the usage names. One buyer has as many as anybody ever looks at.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction

from benchmarks import shops
from benchmarks.ready import say
from billing import auditing
from billing.domain.purchases import State
from billing.models import GrantedToken, Payment, Purchase, SummedUntil
from billing.shops import summing
from gateway.models import GrantLedger, LimiterLedger
from marketplace import quoting
from marketplace.domain.quotes import SignedQuote
from marketplace.models import RouteQuote, Service

SOLD = 200
"""The most used services, whose grants all have their rows."""
OF_THE_BUYER = 1_000
AUDITED = 20_000
CALLS = 10_000_000
DAY_S = 86_400


def fill(now: datetime) -> None:
    if Purchase.objects.exists():
        return
    say("purchases")
    User = get_user_model()  # noqa: N806
    buyer = User.objects.create_user("buyer")
    User.objects.create_superuser("auditor")
    sold = list(_sold(now))
    rows = [_purchase(quote, grant, number, now) for number, (quote, grant) in enumerate(sold)]
    for row in rows[:OF_THE_BUYER]:
        row.owner = buyer
    with transaction.atomic():
        Purchase.objects.bulk_create(rows, batch_size=shops.CHUNK)
        GrantedToken.objects.bulk_create(map(_token, rows), batch_size=shops.CHUNK)
        Payment.objects.bulk_create(map(_payment, rows), batch_size=shops.CHUNK)
        GrantLedger.objects.bulk_create(map(_ledger, rows), batch_size=shops.CHUNK)
        LimiterLedger.objects.bulk_create(map(_limiter, rows), batch_size=shops.CHUNK)
    say("audit log")
    _audit(rows)
    say("usage by the day")
    while _is_behind(now):
        summing.sum_up(now)
    shops.analyse()


def _sold(now: datetime) -> Iterator[tuple[SignedQuote, str]]:
    services = Service.objects.order_by("pk").values_list("pk", flat=True)[: SOLD * 50 : 50]
    for service in services:
        price = RouteQuote.objects.filter(route__service=service, name="Day").get()
        quote = quoting.signed(price, now.timestamp())
        for number in range(shops.GRANTS):
            yield quote, shops.grant(service, number)


def _purchase(quote: SignedQuote, grant: str, number: int, now: datetime) -> Purchase:
    bought = int(now.timestamp()) - number % (shops.DAYS * DAY_S)
    return Purchase(
        id=grant,
        state=State.GRANTED,
        moved_at_s=bought,
        created_at_s=bought,
        network="sandbox",
        contract=shops.ADDRESS,
        buyer=shops.ADDRESS,
        access_key=grant,
        digest=quote.digest,
        route=quote.route,
        asset=quote.sac,
        asset_code=quote.asset,
        amount=quote.amount,
        fee=quote.fee,
        payee=quote.payee,
        treasury=quote.treasury,
        quote=quote.to_json(),
        expires_at_s=bought + 900,
        signing_hash=grant,
        authorized_at_s=bought,
        paid_tx_hash=grant,
        paid_ledger=number + 1,
        paid_at_s=bought,
    )


def _token(row: Purchase) -> GrantedToken:
    ends_at_s = row.created_at_s + DAY_S
    return GrantedToken(
        purchase=row, token="x", kid="x", expires_at_s=ends_at_s, created_at_s=row.created_at_s
    )


def _payment(row: Purchase) -> Payment:
    return Payment(
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


def _ledger(row: Purchase) -> GrantLedger:
    return GrantLedger(
        grant_id=row.pk,
        route=row.route,
        limits=[{"kind": "calls", "count": CALLS, "window_seconds": None}],
        not_before=row.created_at_s,
        expires_at=row.created_at_s + DAY_S,
    )


def _limiter(row: Purchase) -> LimiterLedger:
    return LimiterLedger(grant_id=row.pk, index=0, kind="calls", limit=CALLS, used=CALLS // 3)


def _audit(rows: Sequence[Purchase]) -> None:
    with transaction.atomic():
        for number in range(AUDITED):
            row = rows[number % len(rows)]
            moved = {"from": "confirmed", "to": "granted"}
            auditing.record(
                action="purchase.grant", subject=row.pk, now_s=row.created_at_s, detail=moved
            )


def _is_behind(now: datetime) -> bool:
    mark = SummedUntil.objects.first()
    return mark is None or mark.minute is None or now - mark.minute > timedelta(minutes=5)
