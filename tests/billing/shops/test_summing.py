import re
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.account.series import By, series
from billing.models import GrantDay, RouteDay, SummedUntil
from billing.shops import looks, summing
from gateway.models import UsageMinute
from marketplace.models import RouteQuote
from tests.billing.shops import customs
from tests.marketplace import shop

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def price() -> RouteQuote:
    return shop.stall("Alba")


def test_each_minute_is_added_once_and_only_when_it_is_over(price: RouteQuote) -> None:
    bought = customs.purchase(price, "buyer", NOW)
    customs.minute(price, NOW - timedelta(minutes=5), bought.pk, refusals={"rate-exceeded": 2})
    customs.minute(price, NOW - timedelta(minutes=4), bought.pk, calls=30, upstream_failures=3)
    late = customs.minute(price, NOW, bought.pk, calls=7)
    for _ in range(3):
        summing.sum_up(NOW)
    day = RouteDay.objects.get()
    assert (day.calls, day.failures, day.refusals) == (40, 3, {"rate-exceeded": 2})
    assert sum(day.latencies) == 40
    grant = GrantDay.objects.get()
    assert (grant.calls, grant.refused, grant.peak, grant.minutes) == (40, 2, 30, 2)
    assert grant.buyer == bought.buyer
    [rest] = summing.unsummed(price.route.service.provider_id, 10)
    assert rest.calls == late.calls
    summing.sum_up(NOW + timedelta(minutes=5))
    assert RouteDay.objects.get().calls == 47
    assert summing.unsummed(price.route.service.provider_id, 10) == []


def test_parts_are_bounded_and_come_to_the_same(
    price: RouteQuote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summing, "ROWS_AT_ONCE", 3)
    customs.minutes(price, NOW - timedelta(hours=1), 20)
    summing.sum_up(NOW)
    assert RouteDay.objects.get().calls == 200
    assert not GrantDay.objects.exists()


def test_days_are_apart_and_calls_of_nobody_are_not_counted(price: RouteQuote) -> None:
    customs.minute(price, NOW - timedelta(days=1))
    customs.minute(price, NOW - timedelta(minutes=9))
    UsageMinute.objects.create(minute=NOW - timedelta(minutes=9), refusals={"route-not-found": 5})
    summing.sum_up(NOW)
    assert list(RouteDay.objects.order_by("day").values_list("day__day", "calls")) == [
        (20, 10),
        (21, 10),
    ]


def test_rows_of_looks_are_left_alone_and_routes_are_locked_in_order(price: RouteQuote) -> None:
    """Whoever writes looks holds those: on PostgreSQL, two that lock both wait for each other."""
    provider = price.route.service.provider_id
    looks.write({(provider, "weather", NOW.date()): 3})
    for route in ("weather/c", "weather/a", "weather/b"):
        UsageMinute.objects.create(
            minute=NOW - timedelta(minutes=9), provider=provider, route=route, calls=1
        )
    with CaptureQueriesContext(connection) as queries:
        summing.sum_up(NOW)
    [written] = [each["sql"] for each in queries if 'INSERT INTO "billing_routeday"' in each["sql"]]
    assert re.findall("'(weather/.?)'", written) == ["weather/a", "weather/b", "weather/c"]
    assert RouteDay.objects.get(route="weather/").views == 3


def test_without_usage_it_begins_now(price: RouteQuote) -> None:
    summing.sum_up(NOW)
    assert SummedUntil.objects.get().minute == datetime(2026, 11, 21, 11, 58, tzinfo=UTC)


def test_old_days_are_forgotten(price: RouteQuote) -> None:
    customs.minute(price, NOW - timedelta(days=500))
    customs.minute(price, NOW - timedelta(days=5))
    summing.sum_up(NOW)
    summing.forget(NOW)
    assert RouteDay.objects.count() == 1


def test_day_of_a_grant_is_what_is_summed_up_and_what_is_not_yet(price: RouteQuote) -> None:
    bought = customs.purchase(price, "buyer", NOW)
    for days in (0, 3):
        early = NOW - timedelta(days=days, minutes=5)
        customs.minute(
            price, early, bought.pk, refusals={"rate-exceeded": 2}, upstream_failures=1, credits=4
        )
    customs.minute(price, NOW, bought.pk, calls=7, refusals={"grant-expired": 1})

    def days() -> list[tuple[int, int, int, int]]:
        shown = series(bought.pk, By.DAY, now_s=NOW.timestamp())
        assert (len(shown.points), shown.points[-1].at) == (
            30,
            NOW.replace(hour=0, minute=0, second=0),
        )
        return [
            (point.calls, point.upstream_failures, point.credits, sum(point.refused))
            for point in shown.points
            if point.calls
        ]

    unsummed = days()
    assert unsummed == [(10, 1, 4, 2), (17, 1, 4, 3)]
    summing.sum_up(NOW)
    assert days() == unsummed
    summing.sum_up(NOW + timedelta(minutes=5))
    UsageMinute.objects.all().delete()
    assert days() == unsummed


def test_hours_of_a_grant_are_those_of_its_minutes(price: RouteQuote) -> None:
    bought = customs.purchase(price, "buyer", NOW)
    for minutes, refusals in ((0, {}), (5, {"rate-exceeded": 2}), (9, {"rate-exceeded": 2})):
        customs.minute(price, NOW - timedelta(minutes=minutes), bought.pk, refusals=refusals)
    shown = series(bought.pk, By.HOUR, now_s=NOW.timestamp())
    assert [(point.at.hour, point.calls, point.refused) for point in shown.points[-3:]] == [
        (10, 0, (0,)),
        (11, 20, (4,)),
        (12, 10, (0,)),
    ]


def test_days_that_were_summed_up_before_are_completed(price: RouteQuote) -> None:
    bought = customs.purchase(price, "buyer", NOW)
    for days in (0, 2):
        early = NOW - timedelta(days=days, minutes=5)
        for _ in range(1 + days):
            early -= timedelta(minutes=1)
            used = {"refusals": {"rate-exceeded": 2}, "upstream_failures": 1}
            customs.minute(price, early, bought.pk, **used)
    summing.sum_up(NOW)
    customs.minute(price, NOW, bought.pk, upstream_failures=5)
    GrantDay.objects.update(failures=0, refusals={})
    for _ in range(2):
        import_module("billing.migrations.0019_grant_days_caught_up").catch_up(apps, None)
        days = GrantDay.objects.order_by("-day").values_list("failures", "refusals")
        assert list(days) == [(1, {"rate-exceeded": 2}), (3, {"rate-exceeded": 6})]


def test_processes_of_the_version_before_go_on_inserting() -> None:
    """Without the columns that are new."""
    own = "calls, bytes_up, bytes_down, refusals"
    of_route = f"INSERT INTO billing_routeday (provider, route, day, failures, latencies, {own})"
    of_grant = 'INSERT INTO billing_grantday (provider, route, day, "grant", buyer, credits, '
    of_grant += "messages, refused, minutes, peak, calls, bytes_up, bytes_down)"
    with connection.cursor() as cursor:
        cursor.execute(f"{of_route} VALUES (1, 'a/b', '2026-11-21', 0, '[]', 1, 0, 0, '{{}}')")
        cursor.execute(
            f"{of_grant} VALUES (1, 'a/b', '2026-11-21', 'g', '', 0, 0, 0, 1, 1, 1, 0, 0)"
        )
    assert RouteDay.objects.get().views == 0
    day = GrantDay.objects.get()
    assert (day.failures, day.refusals) == (0, {})
