"""A large catalogue: `python -m benchmarks.catalogue` fills an empty database with it.

Services, prices and usage are made up, the same in every run; few services have most of the usage.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Model

from benchmarks.ready import say
from gateway.domain.chronicle import BUCKETS
from marketplace.models import Category, Provider, Route, RouteQuote, Service, Upstream

CHUNK = 2_000
PER_PROVIDER = 100
USED = 2_000
"""Services that are called at all."""
DAYS = 30
GRANTS = 20
"""Of each service that is called."""
THINGS = "weather forecast maps tiles rates voices speech images summaries embeddings geocoding"
THINGS += " tides storms ledger portraits news search translation fonts recipes transit parking"
THINGS += " energy prices stocks sports scores books films music lyrics chess routing elevation"
KINDS = "stream batch live archive fast open global local daily hourly secure small large pro"
SPREAD = {"europe": 0.5, "north-america": 0.5, "asia": 0.2, "oceania": 0.02, "africa": 0.0005}
"""Which share of the services runs in a region."""
ADDRESS = "GCGUDFG4PKDWGF4PLEQ4W2BJGK4E76RU5NBYCBIDZ6FNEHMQ7F3QLCMU"
USAGE = """INSERT INTO gateway_usageminute (minute, "grant", route, provider, calls,
    upstream_failures, latencies, refusals, bytes_up, bytes_down, credits, messages)
    VALUES (%s, %s, %s, %s, %s, %s, %s, '{}', 0, 0, 0, 0)"""
M = TypeVar("M", bound=Model)


def fill(services: int, usage: int, now: datetime) -> None:
    chance = random.Random(7)
    say("providers")
    _providers(services // PER_PROVIDER)
    say("services")
    _services(services, chance, now)
    say("prices")
    _prices(chance, now)
    say("usage")
    _usage(usage, chance, now)


def _in_chunks(rows: Iterator[M], model: type[M]) -> None:
    chunk: list[M] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            model._default_manager.bulk_create(chunk)  # noqa: SLF001
            chunk = []
    model._default_manager.bulk_create(chunk)  # noqa: SLF001


def _providers(count: int) -> None:
    User = get_user_model()  # noqa: N806
    users = [User(username=f"seller-{n}", password="!", is_staff=True) for n in range(count)]
    User.objects.bulk_create(users, batch_size=CHUNK)
    owners = User.objects.filter(username__startswith="seller-").order_by("pk")
    Provider.objects.bulk_create(
        [
            Provider(owner=owner, name=f"House {n}", slug=f"house-{n}", payout_address=ADDRESS)
            for n, owner in enumerate(owners)
        ],
        batch_size=CHUNK,
    )
    names = [f"{kind} apis".title() for kind in KINDS.split()]
    Category.objects.bulk_create(
        [Category(name=name, slug=name.lower().replace(" ", "-")) for name in names]
    )


def _services(count: int, chance: random.Random, now: datetime) -> None:
    providers, categories = list(Provider.objects.all()), list(Category.objects.all())
    things, kinds = THINGS.split(), KINDS.split()
    where = random.Random(11)

    def rows() -> Iterator[Service]:
        for number in range(count):
            thing, kind, other = chance.choice(things), chance.choice(kinds), chance.choice(things)
            yield Service(
                provider=providers[number // PER_PROVIDER % len(providers)],
                category=chance.choice(categories),
                name=f"{kind} {thing} {number}".title(),
                slug=f"{kind}-{thing}-{number}",
                tagline=f"{thing.title()} for {other}, {chance.choice(kinds)} and by the hour.",
                description=" ".join(chance.choices(things + kinds, k=60)),
                state=Service.State.PUBLISHED,
                protocols=chance.sample(Service.Protocol.values, 2),
                regions=[name for name, share in SPREAD.items() if where.random() < share],
                created_at=now,
            )

    _in_chunks(rows(), Service)
    keys = list(Service.objects.order_by("pk").values_list("pk", flat=True))
    _in_chunks((Upstream(service_id=pk, url=f"https://api-{pk}.example") for pk in keys), Upstream)
    _in_chunks(
        (Route(service_id=pk, slug="v1", name="Everything", path="/v1") for pk in keys), Route
    )


def _prices(chance: random.Random, now: datetime) -> None:
    routes = list(Route.objects.order_by("pk").values_list("pk", flat=True))

    def rows() -> Iterator[RouteQuote]:
        for route in routes:
            for name, seconds in (("Hour", 3_600), ("Day", 86_400)):
                yield RouteQuote(
                    route_id=route,
                    name=name,
                    amount=chance.randrange(0 if name == "Hour" else 1, 200) * 100_000,
                    asset=chance.choice(["USDC", "USDC", "EURC"]),
                    access_seconds=seconds,
                    limits=[{"kind": "calls", "count": 1_000, "window_seconds": None}],
                    state=RouteQuote.State.PUBLISHED,
                    published_at=now,
                )

    _in_chunks(rows(), RouteQuote)


def _usage(count: int, chance: random.Random, now: datetime) -> None:
    some = Service.objects.order_by("pk").values_list("pk", "slug", "provider")[: USED * 50 : 50]
    sold = list(some)
    grants = {pk: [grant(pk, number) for number in range(GRANTS)] for pk, _, _ in sold}
    weights = [1 / (rank + 1) for rank in range(len(sold))]
    latest = now.replace(second=0, microsecond=0)
    seen: set[tuple[int, str]] = set()

    def rows() -> Iterator[tuple[object, ...]]:
        while len(seen) < count:
            for pk, slug, provider in chance.choices(sold, weights, k=CHUNK):
                minute, grant = chance.randrange(DAYS * 1_440), chance.choice(grants[pk])
                if (minute, grant) in seen or len(seen) == count:
                    continue
                seen.add((minute, grant))
                calls = chance.randrange(1, 60)
                latencies = [0] * BUCKETS
                latencies[pk % 8] = calls
                at = latest - timedelta(minutes=minute + 5)
                yield (at, grant, f"{slug}/v1", provider, calls, calls // 50, f"{latencies}")

    some_rows = rows()
    while chunk := list(islice(some_rows, 20 * CHUNK)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(USAGE, chunk)


def grant(service: int, number: int) -> str:
    return hashlib.sha256(f"{service} {number}".encode()).hexdigest()


def analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def today() -> datetime:
    return datetime.now(UTC)


def rows_of(models: Sequence[type[Model]]) -> str:
    return json.dumps({model.__name__: model._default_manager.count() for model in models})  # noqa: SLF001
