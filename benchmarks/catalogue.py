"""What a large catalogue costs: `python -m benchmarks.catalogue [--services N] [--usage N]`.

Fills the database of DATABASE_URL if it is empty, has the figures made as the worker does each
minute, then asks for each page in turn: queries, and the median and worst time that Django takes
for it in one process, templates and all; of which processor time (of this process alone, so without
PostgreSQL's). Needs no server.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment

from benchmarks import shops
from benchmarks.ready import say
from billing.buyers import buyers_of
from gateway.models import UsageMinute
from marketplace import listing, measuring, rounds
from marketplace.models import Provider, RouteQuote, Service, Standing

ROUNDS = 15
QUERIES_MAX, MEDIAN_MS_MAX = 10, 200


def pages() -> dict[str, str]:
    some = Service.objects.order_by("pk")[Service.objects.count() // 2]
    deep = Standing.objects.order_by("-popularity", "-pk")[Standing.objects.count() * 9 // 10]
    return {
        "first page": "/",
        "most used": "/?sort=popularity",
        "by price an hour": "/?sort=price",
        "by price an hour in EURC": "/?sort=price&asset=EURC",
        "fastest": "/?sort=latency",
        "newest": "/?sort=newest",
        "deep page (row 90,000)": f"/?sort=popularity&after=0.{deep.popularity}.{deep.pk}",
        "one category, fastest": "/?category=pro-apis&sort=latency",
        "word that few have": f"/?q={some.slug.rpartition('-')[2]}",
        "word that a third have": "/?q=weather",
        "word that all have": "/?q=hour",
        "two words, by price": "/?q=weather+daily&sort=price",
        "two words, by price in EURC": "/?q=weather+daily&sort=price&asset=EURC",
        "two words, newest": "/?q=weather+daily&sort=newest",
        "two words, fastest": "/?q=weather+daily&sort=latency",
        "two words, most used": "/?q=weather+daily&sort=popularity",
        "two words, newest of a category": "/?q=weather+daily&category=pro-apis&sort=newest",
        "words nobody has": "/?q=zyzzyva",
        "every filter": "/?category=pro-apis&model=usage&asset=USDC&protocol=sse&success=90"
        "&latency=250&trial=1&sort=price",
        "filter that few pass": "/?success=99.9&latency=50&sort=price",
        "verified providers, of whom there are none": "/?verified=1",
        "region that few are in": "/?region=africa&sort=newest",
        "region that one in fifty is in": "/?region=oceania",
        "region and other filters": "/?region=africa&model=usage&asset=USDC&sort=price",
        "word that all have, in a region that few are in": "/?q=hour&region=africa",
        "two words, region that many are in, newest": "/?q=weather+daily&region=asia&sort=newest",
        "service": f"/services/{some.slug}/",
        "route": f"/services/{some.slug}/routes/v1/",
        "quotes, some": "/apicharge/v1/quotes",
        "quotes of a route": f"/apicharge/v1/quotes?route={some.slug}/v1",
        "sitemap index": "/sitemap.xml",
        "sitemap file": "/sitemap-1.xml",
        "llms.txt": "/llms.txt",
    }


def prepare(services: int, usage: int) -> None:
    call_command("migrate", verbosity=0)
    if Provider.objects.exists():
        return
    shops.fill(services, usage, shops.today())
    say("standings")
    started = time.perf_counter()
    listing.refresh(list(Service.objects.values_list("pk", flat=True)))
    say(f"standings of all in {time.perf_counter() - started:.0f} s")
    shops.analyse()


def keep_up() -> None:
    """As many rounds as it takes to add all usage up; then one that finds nothing new."""
    began, count = time.perf_counter(), 0
    while measuring.add_up(shops.today()) is not None:
        count += 1
    used = UsageMinute.objects.values_list("route", flat=True).distinct()
    slugs = {route.partition("/")[0] for route in used}
    listing.refresh(list(Service.objects.filter(slug__in=slugs).values_list("pk", flat=True)))
    say(f"usage added up in {count} parts, {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    rounds.go_round(shops.today(), buyers_of)
    say(f"a round of the worker: {time.perf_counter() - began:.2f} s")
    shops.analyse()


class Measured(NamedTuple):
    queries: int
    median_ms: float
    processor_ms: float
    worst_ms: float
    size: int

    def __str__(self) -> str:
        shown = [f"{value:.0f}" for value in self[:4]]
        return " | ".join([*shown, f"{self.size / 1_000:.0f}"])


def measure(client: Client, address: str) -> Measured:
    walls, processor = [], []
    for _ in range(ROUNDS):
        began, busy = time.perf_counter(), time.process_time()
        response = client.get(address)
        walls.append((time.perf_counter() - began) * 1_000)
        processor.append((time.process_time() - busy) * 1_000)
        assert response.status_code == 200, (address, response.status_code)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
    medians = statistics.median(walls), statistics.median(processor)
    return Measured(len(queries), *medians, max(walls), len(response.content))


def report(
    known: dict[str, str],
    client: Client,
    show: Callable[[str], None],
    queries_max: int = QUERIES_MAX,
) -> bool:
    show(f"| page | queries | median ms | processor ms | worst ms | kB |\n|---|{'---:|' * 5}")
    kept = True
    for name, address in known.items():
        found = measure(client, address)
        kept &= found.queries <= queries_max and found.median_ms <= MEDIAN_MS_MAX
        show(f"| {name} | {found} |")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=100_000)
    parser.add_argument("--usage", type=int, default=1_000_000)
    asked = parser.parse_args()
    setup_test_environment()
    prepare(asked.services, asked.usage)
    keep_up()
    say(shops.rows_of([Service, RouteQuote, UsageMinute]))
    if not report(pages(), Client(), print):
        sys.exit(f"Not within {QUERIES_MAX} queries and {MEDIAN_MS_MAX} ms at the median.")


if __name__ == "__main__":
    main()
