from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gateway.domain.chronicle import BUCKETS
from marketplace.domain.reckoning import Health
from marketplace.models import MeasuredDay, Service
from marketplace.records import BAR_DAYS, record
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def day(service: Service, ago: int, **sums: int) -> None:
    latencies = [0] * BUCKETS
    latencies[4] = sums.get("calls", 0)
    when = timezone.now().date() - timedelta(days=ago)
    MeasuredDay.objects.create(service=service, day=when, latencies=latencies, **sums)


def test_shares_are_of_real_calls_and_probes() -> None:
    service = shop.service(shop.provider())
    day(service, 0, calls=60, failures=1, probes=1_440, answered=1_440)
    day(service, 29, calls=40, failures=0, probes=1_440, answered=720)
    day(service, 40, calls=1_000, failures=1_000, probes=1_440, answered=1_440)
    found = record(service, timezone.now())
    assert (found.calls, found.success) == (100, "99 %")
    assert (found.half_within, found.most_within) == ("25 ms", "25 ms")
    assert (found.probes, found.uptime) == (4_320, "83.33 %")
    assert len(found.bars) == BAR_DAYS
    assert [found.bars[place].health for place in (-1, -2, -30)] == [
        Health.UP,
        Health.UNKNOWN,
        Health.DOWN,
    ]
    assert (found.days_up, found.days_probed) == (2, 3)


def test_under_a_hundred_samples_nothing_is_said(client: Client) -> None:
    service = shop.stall().route.service
    day(service, 0, calls=99, failures=0, probes=99, answered=99)
    found = record(service, timezone.now())
    assert found.success is found.half_within is found.most_within is found.uptime is None
    page = client.get("/services/weather/").content.decode()
    assert page.count("not enough data") == 4
    assert "99 calls of buyers" in page


def test_the_page_draws_the_days_and_says_them_to_those_who_do_not_see(client: Client) -> None:
    service = shop.stall().route.service
    day(service, 0, calls=200, failures=0, probes=200, answered=200)
    page = client.get("/services/weather/").content.decode()
    assert page.count("<rect ") == BAR_DAYS
    assert "Up on 1 of 1 days that were measured" in page
    assert "100 %" in page
