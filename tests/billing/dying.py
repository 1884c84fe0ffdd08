"""A worker that kills itself (SIGKILL) at one point of a purchase. Run as a process of its own:

    python -m tests.billing.dying POINT PURCHASE_ID

A point is a state that was just committed, or a moment around sending. The hooks are put in here:
the product knows nothing of them.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402 - after setup

from billing import (  # noqa: E402
    advancing,
    conf,
    confirming,
    following,
    granting,
    moving,
    submitting,
)
from billing.domain.purchases import SETTLED, Event  # noqa: E402
from billing.models import Purchase  # noqa: E402

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


def work(purchase_id: str) -> None:
    deadline = time.monotonic() + 20
    while Purchase.objects.get(pk=purchase_id).state not in SETTLED:
        assert time.monotonic() < deadline
        advancing.advance(purchase_id, now_s=time.time())
        following.follow(now_s=time.time())
        time.sleep(0.01)


if __name__ == "__main__":
    install(sys.argv[1])
    work(sys.argv[2])
