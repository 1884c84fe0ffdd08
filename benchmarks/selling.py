"""A grant for the benchmark, sold without a payment: its route, key, ledger and token.

Run by `manage.py shell` beside the server under test; prints the access token.
"""

import secrets
import time

from django.conf import settings

from gateway.domain import ed25519
from gateway.domain.limits import parse_limits
from gateway.domain.tokens import Charge, Grant, Starts, assemble, grant_signing_input, kid_of
from gateway.ledgers.opening import open_ledger
from gateway.models import Snapshot

PLENTY = 10**12
LIMITS: list[dict[str, object]] = [
    {"kind": "calls", "count": PLENTY},
    {"kind": "data", "direction": "both", "bytes": PLENTY},
    {"kind": "credits", "credits": PLENTY},
]


def sell(upstream: str) -> str:
    seed = secrets.token_bytes(32)
    kid, key = kid_of(ed25519.public_key(seed)), ed25519.public_key(seed).hex()
    route = {"id": "weather/all", "name": "All", "path": "/", "methods": [], "offers": []}
    service = {
        "slug": "weather",
        "name": "Weather",
        "hosts": [],
        "root_path": None,
        "secret": None,
        "upstreams": [{"url": upstream}],
        "timeouts": {},
        "routes": [route],
    }
    Snapshot.objects.create(
        body={"issuer": settings.ORIGIN, "keys": {kid: key}, "services": [service]}
    )
    grant = _grant(int(time.time()))
    open_ledger(grant)
    signed = grant_signing_input(grant, kid)
    return assemble(signed, ed25519.sign(seed, signed))


def _grant(now_s: int) -> Grant:
    return Grant(
        issuer=settings.ORIGIN,
        audience=settings.ORIGIN,
        buyer="GBENCHMARK",
        id=secrets.token_hex(32),
        issued_at=now_s,
        not_before=now_s,
        expires_at=now_s + 86_400,
        route="weather/all",
        limits=parse_limits(LIMITS),
        starts=Starts.PURCHASE,
        access_seconds=None,
        charge=Charge.SUCCESS,
        adjustable=False,
        meter=None,
        quote="0" * 64,
        pay=None,
        access_key=None,
    )
