"""Appending to the audit log, and checking all of it (the rules: billing/domain/audit.py).

`record` belongs in the transaction of what it records, and at its end: appending is one at a time,
so the head's row is locked until the commit.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

from billing.domain import audit
from billing.models import AuditEntry, AuditHead

WORKER = "worker"
_FROM: ContextVar[str] = ContextVar("acts_from", default="")
BATCH = 2_000


@contextmanager
def acts_from(address: str) -> Iterator[None]:
    """What is recorded meanwhile was done by somebody at this address."""
    before = _FROM.set(address)
    try:
        yield
    finally:
        _FROM.reset(before)


def record(
    *,
    action: str,
    subject: str,
    now_s: float,
    actor: str = WORKER,
    detail: Mapping[str, str | int],
) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record() belongs in the change's own.")
    if address := _FROM.get():
        detail = {**detail, "address": address}
    head, _ = AuditHead.objects.select_for_update().get_or_create(
        pk=1, defaults={"hash": audit.GENESIS}
    )
    entry = audit.Entry(
        number=head.number + 1,
        at_ms=int(now_s * 1000),
        actor=actor,
        action=action,
        subject=subject,
        detail=detail,
    )
    previous, head.hash = head.hash, audit.link_hash(entry, head.hash)
    AuditEntry.objects.create(
        number=entry.number,
        at_ms=entry.at_ms,
        actor=actor,
        action=action,
        subject=subject,
        detail=dict(detail),
        previous=previous,
        hash=head.hash,
    )
    AuditHead.objects.filter(pk=1).update(number=entry.number, hash=head.hash)


def verify() -> audit.Intact | audit.Broken:
    """One consistent look at the whole log."""
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().filter(pk=1).first()
        if head is None:
            return audit.verify(_links(), head_number=0, head_hash=audit.GENESIS)
        return audit.verify(_links(), head_number=head.number, head_hash=head.hash)


def _links() -> Iterator[audit.Link]:
    for row in AuditEntry.objects.order_by("number").iterator(chunk_size=BATCH):
        entry = audit.Entry(row.number, row.at_ms, row.actor, row.action, row.subject, row.detail)
        yield audit.Link(entry, row.previous, row.hash)
