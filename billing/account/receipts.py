"""What was paid: a list, a file for a spreadsheet, sums. Assets are never added to each other."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.paginator import Paginator
from django.db.models import BigIntegerField, Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.account import viewing
from billing.account.caps import caps_of
from billing.account.pages import private
from billing.account.viewing import Viewer, viewer
from billing.domain import sheets
from billing.domain.refunds import State as RefundState
from billing.domain.sheets import MEDIA_TYPES, Format
from billing.models import Purchase, Refund
from billing.pages import addresses
from marketplace.domain import plans

SHOWN = 50
ROWS_MAX = 50_000  # Of one file.
ROWS_AT_ONCE = 1_000
DAY_S = 86_400
DAYS = 30
ROUTES_MAX = 10
COLUMNS = (
    *("paid_at", "route", "plan", "amount", "asset", "asset_contract", "fee", "refunded"),
    *("payee", "buyer", "network", "transaction", "ledger", "grant"),
)


@dataclass(frozen=True, slots=True)
class Receipt:
    id: str
    route: str
    plan: str
    price: str
    asset: str
    refunded: str
    payee: str
    tx_hash: str
    page: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Share:
    route: str
    total: str
    count: int


@dataclass(frozen=True, slots=True)
class Day:
    at: datetime
    total: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one asset: its contract says which, its code may be another's, too."""

    asset: str
    contract: str
    total: str
    lately: str
    refunded: str
    count: int
    routes: tuple[Share, ...]
    days: tuple[Day, ...]


@private
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    who = viewer(request, now_s=time.time())
    page = Paginator(_paid(who), SHOWN).get_page(request.GET.get("page"))
    context = {"who": who, "page": page, "receipts": [_receipt(row) for row in page.object_list]}
    return render(request, "billing/account/receipts.html", context)


@private
@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    who = viewer(request, now_s=time.time())
    text = "".join(_lines(_paid(who)))
    response = HttpResponse(text, content_type=MEDIA_TYPES[Format.CSV])
    response["Content-Disposition"] = 'attachment; filename="receipts.csv"'
    return response


@private
@require_safe
def spending(request: HttpRequest) -> HttpResponse:
    now_s = time.time()
    who = viewer(request, now_s=now_s)
    context = {"who": who, "spent": _spent(who, now_s=now_s), "days": DAYS}
    if who.user is not None:
        context["caps"] = caps_of(who.user, now_s=now_s)
    return render(request, "billing/account/spending.html", context)


def _paid(who: Viewer) -> QuerySet[Purchase]:
    back = Refund.objects.filter(purchase=OuterRef("pk"), state=RefundState.REFUNDED)
    total = back.values("purchase").annotate(sum=Sum("amount")).values("sum")
    rows = viewing.purchases(who).filter(amount__gt=0)
    return rows.annotate(refunded=Coalesce(Subquery(total), 0)).order_by("-created_at_s", "id")


def _receipt(row: Purchase) -> Receipt:
    refunded = int(getattr(row, "refunded"))  # noqa: B009  annotated
    return Receipt(
        id=row.pk,
        route=row.route,
        plan=str(row.quote["name"]),
        price=plans.show_amount(row.amount),
        asset=row.asset_code,
        refunded=plans.show_amount(refunded) if refunded else "",
        payee=row.payee,
        tx_hash=row.paid_tx_hash,
        page=addresses.path(row.pk, "receipt"),
        at=_moment(row.paid_at_s or row.created_at_s),
    )


def _lines(rows: QuerySet[Purchase]) -> Iterator[str]:
    yield sheets.head(Format.CSV, COLUMNS)
    for start in range(0, ROWS_MAX, ROWS_AT_ONCE):
        some = list(rows[start : start + ROWS_AT_ONCE])
        yield sheets.body(Format.CSV, COLUMNS, [_cells(row) for row in some], first=not start)
        if len(some) < ROWS_AT_ONCE:
            return


def _cells(row: Purchase) -> dict[str, object]:
    return {
        "paid_at": _moment(row.paid_at_s or row.created_at_s).isoformat(),
        "route": row.route,
        "plan": row.quote["name"],
        "amount": plans.show_amount(row.amount),
        "asset": row.asset_code,
        "asset_contract": row.asset,
        "fee": plans.show_amount(row.fee),
        "refunded": plans.show_amount(int(getattr(row, "refunded"))),  # noqa: B009  annotated
        "payee": row.payee,
        "buyer": row.buyer,
        "network": row.network,
        "transaction": row.paid_tx_hash,
        "ledger": row.paid_ledger,
        "grant": row.pk,
    }


def _spent(who: Viewer, *, now_s: float) -> list[Spent]:
    """In four queries."""
    today = int(now_s) // DAY_S
    since_s = (today - DAYS + 1) * DAY_S
    paid = viewing.purchases(who).filter(amount__gt=0)
    assets = list(
        paid.values("asset", "asset_code")
        .annotate(
            total=Sum("amount"),
            lately=Coalesce(Sum("amount", filter=Q(paid_at_s__gte=since_s)), 0),
            count=Count("pk"),
        )
        .order_by("-count", "asset")
    )
    back = Refund.objects.filter(purchase__in=paid.values("pk"), state=RefundState.REFUNDED)
    refunded = dict(back.values_list("asset").annotate(sum=Sum("amount")))
    by_route = paid.values_list("asset", "route").annotate(sum=Sum("amount"), times=Count("pk"))
    routes: dict[str, list[Share]] = {}
    for asset, route, total, count in by_route.order_by("-sum"):
        if len(routes.setdefault(asset, [])) < ROUTES_MAX:
            routes[asset].append(Share(route, plans.show_amount(total), count))
    days = _by_day(paid.filter(paid_at_s__gte=since_s))
    return [
        Spent(
            asset=row["asset_code"],
            contract=row["asset"],
            total=plans.show_amount(row["total"]),
            lately=plans.show_amount(row["lately"]),
            refunded=plans.show_amount(refunded[row["asset"]]) if row["asset"] in refunded else "",
            count=row["count"],
            routes=tuple(routes.get(row["asset"], ())),
            days=tuple(
                Day(_moment(day * DAY_S), plans.show_amount(days.get((row["asset"], day), 0)))
                for day in range(today - DAYS + 1, today + 1)
            ),
        )
        for row in assets
    ]


def _by_day(paid: QuerySet[Purchase]) -> dict[tuple[str, int], int]:
    second = Cast(F("paid_at_s"), BigIntegerField())
    of_day = paid.annotate(day=(second - second % DAY_S) / DAY_S)
    sums = of_day.values_list("asset", "day").annotate(sum=Sum("amount")).order_by()
    return {(asset, int(day)): int(total) for asset, day, total in sums}


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
