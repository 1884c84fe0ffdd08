"""What looks at the books found, kept as rows: found again, resolved, or explained by staff."""

from collections.abc import Iterable
from itertools import islice

from django.db import transaction

from billing import auditing
from billing.domain.discrepancies import (
    CHAIN_FINDINGS,
    ROW_FINDINGS,
    Event,
    Finding,
    State,
    after,
    before,
)
from billing.models import Discrepancy
from billing.reconciling import Found, reconcile
from billing.retracing import retrace

# More than this is one trouble, not so many.
NOTED_AT_ONCE_MAX = 10_000


def look_at_rows(*, now_s: float) -> None:
    note(reconcile(now_s=now_s), ROW_FINDINGS, now_s=now_s)


def look_at_chain(*, now_s: float) -> None:
    """Raises `NetworkUnavailable`, and then changes nothing."""
    note(retrace(), CHAIN_FINDINGS, now_s=now_s)


def note(found: Iterable[Found], among: frozenset[Finding], *, now_s: float) -> None:
    """What is not in `found` any more is resolved, of the findings `among` that were looked for."""
    rows = list(islice(found, NOTED_AT_ONCE_MAX + 1))
    for row in rows[:NOTED_AT_ONCE_MAX]:
        _find(row, now_s=now_s)
    if len(rows) <= NOTED_AT_ONCE_MAX:
        _resolve(among, now_s=now_s)


def explain(pk: int, words: str, *, actor: str, now_s: float) -> bool:
    """Staff say why it stands. False where there is nothing to explain any more."""
    with transaction.atomic():
        row = Discrepancy.objects.select_for_update().get(pk=pk)
        state = after(State(row.state), Event.EXPLAIN)
        if state is None:
            return False
        row.state, row.note = state.value, words[:500]
        row.save(update_fields=["state", "note"])
        _record("explained", row, now_s=now_s, actor=actor)
    return True


def _find(found: Found, *, now_s: float) -> None:
    with transaction.atomic():
        row, made = Discrepancy.objects.select_for_update().get_or_create(
            finding=found.finding.value,
            subject=found.subject,
            reference=found.reference,
            defaults={"first_seen_at_s": int(now_s), "last_seen_at_ms": int(now_s * 1000)},
        )
        was = State(row.state)
        row.state = (after(was, Event.FIND) or was).value
        row.detail = found.detail[:500]
        row.last_seen_at_ms, row.ended_at_s = int(now_s * 1000), None
        row.save()
        if made or row.state != was:
            _record("found", row, now_s=now_s)


def _resolve(among: frozenset[Finding], *, now_s: float) -> None:
    gone = Discrepancy.objects.filter(
        finding__in=[finding.value for finding in among],
        state__in=[state.value for state in before(Event.MISS, to=State.RESOLVED)],
        last_seen_at_ms__lt=int(now_s * 1000),
    )
    for row in gone[:NOTED_AT_ONCE_MAX]:
        with transaction.atomic():
            if gone.filter(pk=row.pk).update(state=State.RESOLVED.value, ended_at_s=int(now_s)):
                _record("resolved", row, now_s=now_s)


def _record(what: str, row: Discrepancy, *, now_s: float, actor: str = auditing.WORKER) -> None:
    auditing.record(
        action=f"discrepancy.{what}",
        subject=row.subject,
        now_s=now_s,
        actor=actor,
        detail={"finding": row.finding, "reference": row.reference, "detail": row.detail[:200]},
    )
