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
        "advance due purchases": {
            "task": "billing.tasks.advance_due",
            "schedule": 1.0,
            "options": {"expires": STALE_SECONDS},
        },
        "follow payments": {
            "task": "billing.tasks.follow",
            "schedule": 0.5,
            "options": {"expires": STALE_SECONDS},
        },
        "top up channels": {
            "task": "billing.tasks.top_up",
            "schedule": TIDY_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "tidy up": {
            "task": "billing.tasks.tidy",
            "schedule": TIDY_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "tell webhooks and send mail": {
            "task": "billing.tasks.deliver",
            "schedule": 2.0,
            "options": {"expires": STALE_SECONDS},
        },
        "notice what is nearly used up or over": {
            "task": "billing.tasks.notice",
            "schedule": 10.0,
            "options": {"expires": STALE_SECONDS},
        },
        "end what was suspended": {
            "task": "billing.tasks.end_grants",
            "schedule": 1.0,
            "options": {"expires": STALE_SECONDS},
        },
        "compare chain and rows": {
            "task": "billing.tasks.reconcile",
            "schedule": RECONCILE_SECONDS,
            "options": {"expires": RECONCILE_SECONDS},
        },
        "sum usage up": {
            "task": "billing.tasks.sum_usage",
            "schedule": 20.0,
            "options": {"expires": STALE_SECONDS},
        },
        "visit upstreams": {
            "task": "apicharge_site.tasks.visit_upstreams",
            "schedule": CATALOGUE_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "keep the catalogue's figures": {
            "task": "apicharge_site.tasks.keep_catalogue",
            "schedule": CATALOGUE_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "forget sessions": {
            "task": "apicharge_site.tasks.forget_sessions",
            "schedule": HOUR_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "change payout addresses": {
            "task": "apicharge_site.tasks.change_payouts",
            "schedule": TIDY_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "count what plans sell": {
            "task": "apicharge_site.tasks.count_sales",
            "schedule": RECONCILE_SECONDS,
            "options": {"expires": RECONCILE_SECONDS},
        },
        "check providers' domains": {
            "task": "apicharge_site.tasks.check_domains",
            "schedule": TIDY_SECONDS,
            "options": {"expires": STALE_SECONDS},
        },
        "forget old usage": {
            "task": "apicharge_site.tasks.forget_usage",
            "schedule": 10.0,
            "options": {"expires": STALE_SECONDS},
        },
    },
)
app.set_default()
app.autodiscover_tasks(["billing", "apicharge_site"])
