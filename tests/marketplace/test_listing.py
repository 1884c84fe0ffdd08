import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.test import Client

from gateway.domain.chronicle import BUCKETS
from gateway.models import UsageMinute
from marketplace import importing, listing, measuring, pricing, rounds
from marketplace.models import (
    ApiDocument,
    Category,
    MeasuredDay,
    Provider,
    RouteQuote,
    Service,
    Standing,
)
from marketplace.models.standing import UNKNOWN_MS
from marketplace.rounds import Bought
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 30, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE = WEATHER | {"paths": {"/gusts": {"get": {"responses": {"200": {"description": "Wind."}}}}}}


def standing(slug: str = "weather") -> Standing:
    return Standing.objects.get(service__slug=slug)


def used(minutes_ago: int, calls: int = 60, failures: int = 0, **fields: object) -> UsageMinute:
    latencies = [0] * BUCKETS
    latencies[4] = calls
    at = (NOW - minutes_ago * MINUTE).replace(second=0)
    values: dict[str, object] = {"route": "weather/forecast", "provider": Provider.objects.get().pk}
    return UsageMinute.objects.create(
        minute=at,
        calls=calls,
        upstream_failures=failures,
        latencies=latencies,
        **(values | fields),
    )


def test_prices_are_known_as_soon_as_they_are_published() -> None:
    price = shop.stall()
    shop.price(price.route, "Endless", amount=9_000_000, asset="EURC", limits=[])
    shop.price(price.route, "Trial", amount=0)
    row = standing()
    assert (row.amount, row.asset, row.access_seconds, row.plan_count) == (
        2_500_000,
        "USDC",
        3_600,
        3,
    )
    assert (row.has_free, row.has_paid, row.has_pass, row.has_usage) == (True, True, True, True)
    assert sorted(row.prices.values_list("asset", "amount", "per_hour")) == [
        ("EURC", 9_000_000, 9_000_000),
        ("USDC", 2_500_000, 2_500_000),
    ]
    for each in RouteQuote.objects.all():
        pricing.retire(each, shop.NOW)
    row = standing()
    assert (row.amount, row.plan_count, row.prices.count()) == (None, 0, 0)


def test_saved_service_is_found_by_its_new_words(client: Client) -> None:
    price = shop.stall()
    Service.objects.update(description="Precipitation.")
    service = Service.objects.get()
    service.tagline = "Snowfall by the hour."
    service.save()
    listing.catch_up()
    for words, found in (
        ("snowfalls", True),
        ("PRECIP", True),
        (price.route.name, True),
        ("x", False),
    ):
        assert (b"/services/weather/" in client.get("/", {"q": words}).content) is found


def test_service_is_found_by_its_tags_and_by_what_its_document_says(client: Client) -> None:
    service = shop.stall().route.service
    service.tags = ["meteorology", "early-warning"]
    service.save()
    document = importing.read(json.dumps(WEATHER).encode())
    importing.keep(service, document, importing.Source.PASTE)

    def found(**asked: str) -> bool:
        return b"/services/weather/" in client.get("/", asked).content

    assert all(found(q=words) for words in ("early-warning", "meteorology", "follow a batch"))
    assert found(q="/v1/batches/{id}/events", protocol="sse")  # The answers of one are a stream.
    assert not found(q="cities", protocol="websocket")
    ApiDocument.objects.update(words="", streams=False)
    import_module("marketplace.migrations.0024_found_by").read_documents(apps, None)
    listing.refresh([service.pk])
    assert found(q="ask for many cities", protocol="sse")
    importing.keep(service, importing.read(json.dumps(ONE).encode()), importing.Source.PASTE)
    assert found(q="gusts")
    assert not found(q="batch")


def test_category_counts_what_is_listed() -> None:
    sky = Category.objects.create(name="Sky", slug="sky")
    owner = shop.provider()
    for number in range(3):
        shop.service(owner, f"s{number}", category=sky)
    shop.service(owner, "hidden", category=sky, visibility="unlisted")
    sky.refresh_from_db()
    assert sky.service_count == 3
    moved = Service.objects.get(slug="s0")
    moved.category = None
    moved.save()
    listing.catch_up()
    sky.refresh_from_db()
    assert sky.service_count == 2
    deleted = Service.objects.get(slug="s1")
    deleted.upstreams.all().delete()
    deleted.delete()
    rounds.go_round(NOW, lambda _: {})
    sky.refresh_from_db()
    assert sky.service_count == 1


def test_usage_is_added_up_once_and_said_once_there_is_enough() -> None:
    shop.stall()
    service = Service.objects.get()
    used(5, calls=60)
    used(1, calls=500)  # Not over for long enough.
    assert measuring.add_up(NOW) == {service.pk}
    assert measuring.add_up(NOW) is None
    listing.refresh([service.pk], NOW)
    assert (standing().calls, standing().success, standing().p50_ms) == (60, None, UNKNOWN_MS)
    assert measuring.add_up(NOW + 5 * MINUTE) == {service.pk}
    day = MeasuredDay.objects.get()
    assert (day.calls, sum(day.latencies)) == (560, 560)
    used(-4, calls=40, failures=6)
    measuring.add_up(NOW + 9 * MINUTE)
    listing.refresh([service.pk], NOW)
    row = standing()
    assert (row.calls, row.success, row.p50_ms) == (600, 9_900, 25)


def test_usage_of_a_former_owner_of_the_name_does_not_count() -> None:
    shop.stall()
    used(6, provider=0)
    used(6, route="weather-2/forecast")
    assert measuring.add_up(NOW) == set()


def test_days_that_are_long_gone_do_not_count_and_are_forgotten() -> None:
    shop.stall()
    service = Service.objects.get()
    for days in (0, 29, 30, 93):
        day = NOW.date() - timedelta(days=days)
        MeasuredDay.objects.create(service=service, day=day, calls=100, latencies=[])
    listing.refresh([service.pk], NOW)
    assert standing().calls == 200
    measuring.forget(NOW)
    assert MeasuredDay.objects.count() == 3


def test_much_usage_is_added_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "ROWS_MAX", 3)
    shop.stall()
    for minute in range(5, 15):
        used(minute, calls=10)
    rounds = 0
    while measuring.add_up(NOW) is not None:
        rounds += 1
    assert rounds >= 3
    assert MeasuredDay.objects.get().calls == 100


def test_round_finds_what_escaped_and_who_bought() -> None:
    shop.stall()
    used(6, calls=7)
    Provider.objects.update(name="Zephyr")
    now_s, day_s = int(NOW.timestamp()), 86_400
    asked: list[list[str]] = []

    def buyers_of(routes: Collection[str]) -> dict[str, dict[str, Bought]]:
        asked.append([*routes])
        bought = {"GA": Bought(now_s, 2), "GB": Bought(now_s - 29 * day_s, 1), "GC": Bought(0, 9)}
        return {"weather/forecast": bought}

    rounds.go_round(NOW, buyers_of)
    row = standing()
    assert asked == [["weather/forecast"]]
    assert (row.buyers, row.repeat_buyers, row.recent_buyers, row.calls) == (3, 2, 2, 7)
    assert row.popularity == 2 * 2**40 + 7
    assert "zephyr" in row.service.words.rest


def test_refreshing_keeps_since_when_a_service_is_listed() -> None:
    shop.stall()
    Standing.objects.update(listed_since_s=77, buyers=3, recent_buyers=2)
    listing.refresh([standing().pk], NOW)
    row = standing()
    assert (row.listed_since_s, row.buyers, row.recent_buyers) == (77, 3, 2)
    assert row.popularity == 2 * 2**40
