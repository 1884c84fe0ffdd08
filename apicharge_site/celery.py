"""The task queue: Redis in production, the memory of this process on the embedded default.

Tasks only hint that rows are due, so losing every message costs a second. Hence no results, no
retries of sending, no ETA, and beat asks each second. Time limits are those of the calls that tasks
make: a pool of threads cannot be interrupted.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apicharge_site.settings")

from django.conf import settings

TIDY_SECONDS = 60.0  # A bounded number of rows each time.
CATALOGUE_SECONDS = 60.0
RECONCILE_SECONDS = HOUR_SECONDS = 3600.0  # The network keeps a week.
STALE_SECONDS = 10  # Of a tick: the next one asks for the same rows.


def _each(task: str, seconds: float, *, expires: float = STALE_SECONDS) -> dict[str, object]:
    return {"task": task, "schedule": seconds, "options": {"expires": expires}}


app = Celery("apicharge", broker=settings.REDIS_URL or "memory://localhost/")
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_publish_retry=False,
    task_default_queue="apicharge",
    worker_pool="threads",
    worker_concurrency=4,
    worker_prefetch_multiplier=16,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options=(
        # A broker that is away must not hold up whoever sends a hint.
        {"socket_timeout": 5, "socket_connect_timeout": 1, "max_retries": 0}
        if settings.REDIS_URL
        else {"polling_interval": 0.02}
    ),
    beat_schedule_filename=str(settings.HOME / "beat" / "schedule"),
    beat_max_loop_interval=1,
    beat_schedule={
        "advance due purchases": _each("billing.tasks.advance_due", 1.0),
        "follow payments": _each("billing.tasks.follow", 0.5),
        "top up channels": _each("billing.tasks.top_up", TIDY_SECONDS),
        "tidy up": _each("billing.tasks.tidy", TIDY_SECONDS),
        "tell webhooks and send mail": _each("billing.tasks.deliver", 2.0),
        "notice what is nearly used up or over": _each("billing.tasks.notice", 10.0),
        "end what was suspended": _each("billing.tasks.end_grants", 1.0),
        "compare chain and rows": _each(
            "billing.tasks.reconcile", RECONCILE_SECONDS, expires=RECONCILE_SECONDS
        ),
        "sum usage up": _each("billing.tasks.sum_usage", 20.0),
        "visit upstreams": _each("apicharge_site.tasks.visit_upstreams", CATALOGUE_SECONDS),
        "keep the catalogue's figures": _each(
            "apicharge_site.tasks.keep_catalogue", CATALOGUE_SECONDS
        ),
        "forget sessions": _each("apicharge_site.tasks.forget_sessions", HOUR_SECONDS),
        "change payout addresses": _each("apicharge_site.tasks.change_payouts", TIDY_SECONDS),
        "count what plans sell": _each(
            "apicharge_site.tasks.count_sales", RECONCILE_SECONDS, expires=RECONCILE_SECONDS
        ),
        "check providers' domains": _each("apicharge_site.tasks.check_domains", TIDY_SECONDS),
        "forget old usage": _each("apicharge_site.tasks.forget_usage", 10.0),
    },
)
app.set_default()
app.autodiscover_tasks(["billing", "apicharge_site"])
