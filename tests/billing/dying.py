"""A worker that kills itself (SIGKILL) at one point of a purchase.

A point is a state that was just committed, or a moment around sending. The hooks are put in here:
the product knows nothing of them. They belong into a process that may die: a fork.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import transaction

from billing import advancing, conf, confirming, granting, moving, submitting
from billing.domain.purchases import Event

COMMITTED = {"submitted": Event.SUBMIT, "confirmed": Event.PAY, "granted": Event.GRANT}
POINTS = [*COMMITTED, "before_send", "after_send"]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def install(point: str) -> None:
    if point in COMMITTED:
        dying = dying_after(moving.move, COMMITTED[point])
        for module in (confirming, granting, submitting, advancing):
            module.move = dying  # type: ignore[attr-defined] # their name for it
        return
    rail = conf.rail()
    send = rail.send

    def dying_send(body: str) -> Any:
        if point == "before_send":
            die()
        answer = send(body)
        die()
        return answer

    rail.send = dying_send  # type: ignore[method-assign] # the hook


def dying_after(move: Callable[..., bool], event: Event) -> Callable[..., bool]:
    def moved(purchase_id: str, what: Event, **rest: Any) -> bool:
        if what is event:
            transaction.on_commit(die)
        return move(purchase_id, what, **rest)

    return moved
