"""What one edit costs among many services: `python -m benchmarks.edits [--services N [N …]]`.

Grows the catalogue in the database of DATABASE_URL, which has to be empty, and edits one service at
each size: processor time of its publication, and of a gate that reads it and makes its next table,
medians in turn; beside them what a node does that starts. Ratios are to the smallest size.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction

from benchmarks.ready import say
from benchmarks.shops import ADDRESS, CHUNK
from gateway.models import SnapshotPart
from gateway.snapshots import Snapshots
from marketplace import listing, publishing
from marketplace.models import Provider, Route, RouteQuote, Service, Upstream

ROUNDS = 25
SIZES = (100, 1_000, 10_000)


def grow(provider: Provider, size: int) -> None:
    """A service has one upstream, one route and one price."""
    now = datetime.now(UTC)
    for begin in range(Service.objects.count(), size, CHUNK):
        services = Service.objects.bulk_create(
            Service(
                provider=provider,
                name=f"Service {number}",
                slug=f"service-{number}",
                tagline="For a benchmark.",
                state=Service.State.PUBLISHED,
            )
            for number in range(begin, min(begin + CHUNK, size))
        )
        Upstream.objects.bulk_create(
            Upstream(service=each, url=f"https://api-{each.pk}.example") for each in services
        )
        routes = Route.objects.bulk_create(
            Route(service=each, slug="v1", name="Everything", path="/v1") for each in services
        )
        RouteQuote.objects.bulk_create(
            RouteQuote(
                route=each,
                name="Hour",
                amount=1_000_000,
                asset="USDC",
                access_seconds=3_600,
                limits=[{"kind": "calls", "count": 1_000, "window_seconds": None}],
                state=RouteQuote.State.PUBLISHED,
                published_at=now,
            )
            for each in routes
        )
        listing.refresh([each.pk for each in services])


def edit(service: int, connect_ms: int) -> None:
    with transaction.atomic():
        row = Service.objects.get(pk=service)
        row.connect_ms = connect_ms
        row.save()
        publishing.publish([service])


def took_ms(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1_000


def everything() -> None:
    with transaction.atomic():
        publishing.publish_everything()


def measure(size: int) -> tuple[float, float, float, float]:
    """One edit's publication and reading, and both of everything, in milliseconds."""
    whole = took_ms(everything)
    service = Service.objects.order_by("pk")[size // 2].pk
    gate = Snapshots(prefix="/gate/")
    start = took_ms(gate.read)
    published, read = [], []
    for number in range(1, ROUNDS + 1):
        published.append(took_ms(partial(edit, service, 1_000 + number)))
        read.append(took_ms(gate.read))
    newest = SnapshotPart.objects.order_by("-version")[0]
    assert newest.service == service, "The edit was not the last that was published."
    Service.objects.filter(pk=service).update(connect_ms=5_000)
    return statistics.median(published), statistics.median(read), whole, start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, nargs="+", default=SIZES)
    asked = parser.parse_args()
    call_command("migrate", verbosity=0)
    if Service.objects.exists():
        sys.exit("The database is not empty.")
    owner = get_user_model().objects.create(username="seller", password="!", is_staff=True)
    provider = Provider.objects.create(
        owner=owner, name="Seller", slug="seller", payout_address=ADDRESS
    )
    print("| services | publication, ms | reading, ms | all published, ms | node starts, ms |")
    print(f"|---:|{'---:|' * 4}")
    first: tuple[float, ...] = ()
    for size in sorted(asked.services):
        say(f"{size:,} services")
        grow(provider, size)
        measured = measure(size)
        first = first or measured
        cells = [f"{ms:,.1f} ({ms / of:.2f})" for ms, of in zip(measured, first, strict=True)]
        print(f"| {size:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
