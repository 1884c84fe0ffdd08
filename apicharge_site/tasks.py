"""Hints to workers that concern no app above the gateway."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from gateway.ledgers import chronicling


@shared_task(ignore_result=True)
def forget_usage() -> None:
    chronicling.forget(timezone.now() - timedelta(days=settings.USAGE_DAYS))
