"""Hints to workers. A task takes ids, may run twice or never, and leaves the deciding to rows."""

import time
from datetime import UTC, datetime

from celery import shared_task

from billing import (
    advancing,
    channels,
    conf,
    following,
    halting,
    noticing,
    noting,
    posting,
    submitting,
    tidying,
    vouchers,
)
from billing.domain.errors import NetworkUnavailable
from billing.shops import outages, summing
from billing.webhooks import delivering


@shared_task(ignore_result=True, throws=(NetworkUnavailable,))
def advance(purchase_id: str) -> None:
    advancing.advance(purchase_id, now_s=time.time())


@shared_task(ignore_result=True)
def advance_due() -> None:
    now_s = time.time()
    submitting.park(now_s=now_s)
    for purchase_id in advancing.due_ids(now_s=now_s):
        advance.delay(purchase_id)


@shared_task(ignore_result=True, throws=(NetworkUnavailable,))
def follow() -> None:
    following.follow(now_s=time.time())


@shared_task(ignore_result=True, throws=(NetworkUnavailable,))
def top_up() -> None:
    channels.top_up(now_s=time.time())


@shared_task(ignore_result=True)
def tidy() -> None:
    now_s = time.time()
    vouchers.give_back(now_s=now_s)
    tidying.tidy(kept_s=conf.conf().expired_kept_s, now_s=now_s)


@shared_task(ignore_result=True)
def notice() -> None:
    now_s = time.time()
    noticing.look(now_s=now_s)
    outages.look(now_s=now_s)


@shared_task(ignore_result=True)
def deliver() -> None:
    now_s = time.time()
    delivering.deliver_due(now_s=now_s)
    posting.send_due(now_s=now_s)


@shared_task(ignore_result=True)
def end_grants() -> None:
    halting.end_grants(now_s=time.time())


@shared_task(ignore_result=True)
def sum_usage() -> None:
    now = datetime.fromtimestamp(time.time(), UTC)
    summing.sum_up(now)
    summing.forget(now)


@shared_task(ignore_result=True, throws=(NetworkUnavailable,))
def reconcile() -> None:
    now_s = time.time()
    noting.look_at_rows(now_s=now_s)
    noting.look_at_chain(now_s=now_s)
