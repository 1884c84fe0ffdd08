"""What is on sale in the benchmark, sold without a payment: routes, key, grants with their rows.

Run by `manage.py shell` beside the gate under test.
"""

import secrets
import time

from django.conf import settings
from django.db import transaction

from apicharge_site.state import secret_file
from gateway.domain import ed25519
from gateway.domain.limits import parse_limits
from gateway.domain.tokens import Charge, Grant, Starts, assemble, grant_signing_input, kid_of
from gateway.ledgers.opening import open_ledger
from gateway.models import Snapshot, SnapshotPart

PLENTY = 10**12
EACH_TRANSACTION = 1000
LIMITS: list[dict[str, object]] = [
    {"kind": "calls", "count": PLENTY},
    {"kind": "data", "direction": "both", "bytes": PLENTY},
    {"kind": "credits", "credits": PLENTY},
    {"kind": "calls", "count": PLENTY, "window_seconds": 3600},
    {"kind": "data", "direction": "down", "bytes": PLENTY, "window_seconds": 86_400},
    {"kind": "rate", "count": PLENTY, "window_seconds": 60},
    {"kind": "concurrency", "count": 100_000},
    {"kind": "bandwidth", "direction": "down", "bytes_per_second": PLENTY},
]


def _seed() -> bytes:
    return bytes.fromhex(secret_file(settings.HOME / "keys" / "benchmark"))


def publish(upstream: str, routes: int) -> None:
    """The route that is asked for, and others beside it."""
    seed = _seed()
    kid, key = kid_of(ed25519.public_key(seed)), ed25519.public_key(seed).hex()
    others = [_route(f"r{number}", f"/r{number}/a") for number in range(1, routes)]
    service = {
        "slug": "weather",
        "name": "Weather",
        "hosts": [],
        "root_path": None,
        "secret": None,
        "upstreams": [{"url": upstream}],
        "timeouts": {"idle_ms": 3_600_000},
        "routes": [_route("all", "/"), *others],
    }
    shared = {"issuer": settings.ORIGIN, "keys": {kid: key}}
    with transaction.atomic():
        version = Snapshot.objects.create(body=shared).version
        for part, body in ((SnapshotPart.SHARED, shared), (1, service)):
            SnapshotPart.objects.update_or_create(
                service=part, defaults={"version": version, "body": body}
            )


def _route(slug: str, path: str) -> dict[str, object]:
    return {"id": f"weather/{slug}", "name": slug, "path": path, "methods": [], "offers": []}


def sell(limits: int, count: int) -> list[str]:
    seed, now_s = _seed(), int(time.time())
    kid, tokens = kid_of(ed25519.public_key(seed)), []
    for start in range(0, count, EACH_TRANSACTION):
        with transaction.atomic():
            for _ in range(min(EACH_TRANSACTION, count - start)):
                grant = _grant(now_s, limits)
                open_ledger(grant)
                signed = grant_signing_input(grant, kid)
                tokens.append(assemble(signed, ed25519.sign(seed, signed)))
    return tokens


def _grant(now_s: int, limits: int) -> Grant:
    return Grant(
        issuer=settings.ORIGIN,
        audience=settings.ORIGIN,
        buyer="GBENCHMARK",
        id=secrets.token_hex(32),
        issued_at=now_s,
        not_before=now_s,
        expires_at=now_s + 86_400,
        route="weather/all",
        limits=parse_limits(LIMITS[:limits]),
        starts=Starts.PURCHASE,
        access_seconds=None,
        charge=Charge.SUCCESS,
        adjustable=False,
        meter=None,
        quote="0" * 64,
        pay=None,
        access_key=None,
    )
