"""Tell a worker that a row is due, once the transaction that made it due is committed.

Only a hint: rows carry `due_at_ms` and are asked for each second. A broker that does not answer
costs a second, not a purchase.
"""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def advance(purchase_id: str) -> None:
    transaction.on_commit(lambda: _send("billing.tasks.advance", purchase_id))


def _send(task: str, *args: str) -> None:
    try:
        current_app.send_task(task, args=args, retry=False, ignore_result=True)
    except OperationalError:
        logger.warning("The broker does not answer; %s waits for the next second.", task)


def hurry() -> None:
    """Somebody is waiting: look at what is on its way now."""
    _send("billing.tasks.follow")
    _send("billing.tasks.advance_due")
