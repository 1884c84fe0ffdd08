"""Grants with their ledger rows, without a purchase."""

import time
from dataclasses import replace

from gateway.domain.limits import Limit
from gateway.domain.tokens import Charge, Grant, Starts
from gateway.ledgers.opening import open_ledger
from gateway.models import LimiterLedger

LONG_AGO_S = 1_700_000_000
FAR_FUTURE_S = 4_000_000_000


def make_grant(*limits: Limit, number: int = 1, **changes: object) -> Grant:
    grant = Grant(
        issuer="https://gw.example",
        audience="https://gw.example",
        buyer="G" + "A" * 55,
        id=f"{number:064x}",
        issued_at=LONG_AGO_S,
        not_before=LONG_AGO_S,
        expires_at=FAR_FUTURE_S,
        route="files/download",
        limits=limits,
        starts=Starts.PURCHASE,
        access_seconds=3600,
        charge=Charge.SUCCESS,
        adjustable=False,
        meter=None,
        quote="0" * 64,
        pay=None,
        access_key=None,
    )
    return replace(grant, **changes)  # type: ignore[arg-type]


def sell(*limits: Limit, number: int = 1, **changes: object) -> Grant:
    grant = make_grant(*limits, number=number, **changes)
    open_ledger(grant)
    return grant


def used(grant: Grant, index: int = 0) -> int:
    rows = LimiterLedger.objects.filter(grant_id=grant.id, index=index)
    return sum(rows.values_list("used", flat=True))


def now_s() -> float:
    return time.time()
