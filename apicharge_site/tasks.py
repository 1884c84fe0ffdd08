"""Hints to workers that concern no app alone."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts import tidying
from billing.buyers import buyers_of
from billing.sales import sold_since
from gateway.ledgers import chronicling
from marketplace import demand, payouts, proving, rounds, visiting


@shared_task(ignore_result=True)
def forget_usage() -> None:
    chronicling.forget(timezone.now() - timedelta(days=settings.USAGE_DAYS))


@shared_task(ignore_result=True)
def keep_catalogue() -> None:
    rounds.go_round(timezone.now(), buyers_of)


@shared_task(ignore_result=True)
def forget_sessions() -> None:
    tidying.forget_sessions()


@shared_task(ignore_result=True)
def change_payouts() -> None:
    now = timezone.now()
    payouts.tell_due(now=now)
    payouts.apply_due(now=now)


@shared_task(ignore_result=True)
def visit_upstreams() -> None:
    visiting.visit(timezone.now())


@shared_task(ignore_result=True)
def check_domains() -> None:
    proving.check_due(timezone.now())


@shared_task(ignore_result=True)
def count_sales() -> None:
    demand.note(sold_since(int((timezone.now() - timedelta(days=30)).timestamp())))
