"""`Prefer: wait=N`: hold the answer until the purchase is settled.

A waiter costs a sleeping coroutine. All waiters of a process share one query per look, and while
somebody waits the follower is asked to look more often than each second. Beyond `WAITERS_MAX` the
answer is given at once: waiting is a courtesy.
"""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse
from rest_framework.views import APIView

from billing import nudging
from billing.api.statuses import receipt, status
from billing.domain.purchases import SETTLED
from billing.models import Purchase

WAITERS_MAX = 200
WAIT_SECONDS_MAX = 30
LOOK_SECONDS = 0.1
NUDGE_SECONDS = 0.3
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)

View = Callable[..., Coroutine[object, object, HttpResponse]]


class Lookout:
    """Looks for all who wait in one event loop."""

    def __init__(self) -> None:
        self.watched: dict[str, int] = {}
        self._settled: set[str] = set()
        self._looked_at = 0.0
        self._nudged_at = 0.0
        self._looking = asyncio.Lock()

    @property
    def waiters(self) -> int:
        return sum(self.watched.values())

    async def wait(self, purchase_id: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self.watched[purchase_id] = self.watched.get(purchase_id, 0) + 1
        try:
            # Rows are written by other processes: there is no event to await.
            while not await self._is_settled(purchase_id) and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
        finally:
            self.watched[purchase_id] -= 1
            if not self.watched[purchase_id]:
                del self.watched[purchase_id]

    async def _is_settled(self, purchase_id: str) -> bool:
        async with self._looking:
            now = time.monotonic()
            if now - self._looked_at >= LOOK_SECONDS / 2:
                nudge = now - self._nudged_at >= NUDGE_SECONDS
                self._settled = await sync_to_async(_look)(list(self.watched), nudge=nudge)
                self._looked_at = time.monotonic()
                self._nudged_at = now if nudge else self._nudged_at
        return purchase_id in self._settled


def _look(purchase_ids: list[str], *, nudge: bool) -> set[str]:
    settled = Purchase.objects.filter(pk__in=purchase_ids, state__in=SETTLED)
    found = set(settled.values_list("pk", flat=True))
    if nudge and len(found) < len(purchase_ids):
        nudging.hurry()
    _let_go()
    return found


def _let_go() -> None:
    """A waiter must not keep one of the pool's connections while it sleeps."""
    if not connection.in_atomic_block:
        connection.close()


_lookouts: WeakKeyDictionary[asyncio.AbstractEventLoop, Lookout] = WeakKeyDictionary()


def lookout() -> Lookout:
    return _lookouts.setdefault(asyncio.get_running_loop(), Lookout())


def preferred_wait(header: str | None) -> int:
    found = _WAIT.search(header or "")
    return min(int(found[1]), WAIT_SECONDS_MAX) if found else 0


def as_waiting_view(endpoint: type[APIView]) -> View:
    """The endpoint's view; its 202 is held back for as long as the client prefers to wait."""
    inner = endpoint.as_view()

    async def view(request: HttpRequest, purchase_id: str) -> HttpResponse:
        response: HttpResponse = await sync_to_async(inner)(request, purchase_id=purchase_id)
        seconds = preferred_wait(request.headers.get("Prefer"))
        if response.status_code != 202 or not seconds or lookout().waiters >= WAITERS_MAX:
            return response
        await sync_to_async(_let_go)()
        await lookout().wait(purchase_id, seconds)
        await sync_to_async(_refresh)(response, purchase_id)
        response.headers["Preference-Applied"] = f"wait={seconds}"
        return response

    # What DRF's own as_view leaves on a view; the schema is read from it.
    view.cls = endpoint  # type: ignore[attr-defined]
    view.initkwargs = {}  # type: ignore[attr-defined]
    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def _refresh(response: HttpResponse, purchase_id: str) -> None:
    purchase = Purchase.objects.get(pk=purchase_id)
    response.data = status(purchase)  # type: ignore[attr-defined]
    response._is_rendered = False  # type: ignore[attr-defined]  # noqa: SLF001 - rendered too early
    response.render()  # type: ignore[attr-defined]
    response.headers["Content-Length"] = str(len(response.content))
    for name, value in receipt(purchase).items():
        response.headers[name] = value
    _let_go()
