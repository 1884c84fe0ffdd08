"""Tell a worker that a row is due, once the transaction that made it due is committed.

Only a hint: rows carry `due_at_ms` and are asked for each second. A broker that does not answer
costs a second, not a purchase.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


_waiting: ContextVar[list[str] | None] = ContextVar("waiting", default=None)


def advance(purchase_id: str) -> None:
    transaction.on_commit(lambda: _advance(purchase_id))


@contextmanager
def afterwards() -> Iterator[list[str]]:
    """Keep what is nudged here, in a list, for who has something more urgent to say first."""
    kept: list[str] = []
    token = _waiting.set(kept)
    try:
        yield kept
    finally:
        _waiting.reset(token)


def _advance(purchase_id: str) -> None:
    kept = _waiting.get()
    if kept is None:
        _send("billing.tasks.advance", purchase_id)
    else:
        kept.append(purchase_id)


def _send(task: str, *args: str) -> None:
    try:
        current_app.send_task(task, args=args, retry=False, ignore_result=True)
    except OperationalError:
        logger.warning("The broker does not answer; %s waits for the next second.", task)


def hurry() -> None:
    """Somebody is waiting: look at what is on its way now."""
    _send("billing.tasks.follow")
    _send("billing.tasks.advance_due")
