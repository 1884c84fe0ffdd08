"""A purchase moves by its table, in one conditional UPDATE, with its audit entry."""

from collections.abc import Mapping

from django.db import transaction

from billing import announcing, auditing
from billing.domain.purchases import TRANSITIONS, Event, State, allows
from billing.models import Purchase

# A row can only move forwards while we look, so few looks are enough.
LOOKS = len(State)


def move(
    purchase_id: str,
    event: Event,
    *,
    now_s: float,
    changes: Mapping[str, object],
    detail: Mapping[str, str | int] | None = None,
    known: State | None = None,
) -> bool:
    """False when the purchase cannot `event` (any more): somebody else was there first.

    `known` is the state that was read just now: mostly it still is, and needs no look.
    """
    with transaction.atomic(savepoint=False):
        state = known
        if state is None or not allows(state, event):
            state = _state_of(purchase_id)
        for _ in range(LOOKS):
            if not allows(state, event):
                return False
            new = TRANSITIONS[state][event]
            moved = Purchase.objects.filter(pk=purchase_id, state=state).update(
                state=new,
                moved_at_s=int(now_s),
                open_slot=None,
                attempts=0,
                **changes,
            )
            if moved:
                auditing.record(
                    action=f"purchase.{event}",
                    subject=purchase_id,
                    now_s=now_s,
                    detail={"from": state.value, "to": new.value, **(detail or {})},
                )
                announcing.moved(purchase_id)
                return True
            state = _state_of(purchase_id)
    raise AssertionError(f"{purchase_id} moves faster than it can be read")


def _state_of(purchase_id: str) -> State:
    return State(Purchase.objects.values_list("state", flat=True).get(pk=purchase_id))


def due(purchase_id: str, *, at_s: float) -> None:
    Purchase.objects.filter(pk=purchase_id).update(due_at_ms=int(at_s * 1000))
