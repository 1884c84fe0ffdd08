from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from apicharge_site.celery import app
from apicharge_site.tasks import forget_usage, keep_catalogue
from gateway.models import UsageMinute
from marketplace.models import Standing
from tests.marketplace import shop


@pytest.mark.django_db
def test_usage_is_forgotten_after_as_many_days_as_the_setting_says(
    settings: Settings,
) -> None:
    settings.USAGE_DAYS = 2
    now = timezone.now()
    for days in (1, 3):
        UsageMinute.objects.create(minute=now - timedelta(days=days), route="a/b")
    forget_usage()
    assert UsageMinute.objects.get().minute == now - timedelta(days=1)


def test_beat_asks_for_tasks_that_workers_know() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


@pytest.mark.django_db
def test_catalogue_is_kept_by_the_minute() -> None:
    shop.stall()
    Standing.objects.all().delete()
    keep_catalogue()
    assert Standing.objects.get().listed
