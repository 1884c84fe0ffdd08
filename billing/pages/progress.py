"""The socket of a purchase's page: what the row says, whenever it has moved.

Who follows is bounded, and so is how long. All sockets of a loop share one query per look. Where
processes share a Channels layer a move is announced at once, and the looks are only a safety net.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import connection
from redis.exceptions import RedisError

from billing import announcing, conf, nudging
from billing.api.endpoint import ID
from billing.api.statuses import status
from billing.domain.purchases import SETTLED, State
from billing.models import Purchase
from billing.pages import addresses, purchase

FOLLOWED_MAX = 300
FOLLOWED_SECONDS_MAX = 1800.0
LOOK_SECONDS = 0.25
LOOK_SECONDS_ANNOUNCED = 3.0
NUDGE_SECONDS = 0.5
TOO_MANY, TOO_LONG = 4429, 4408  # Closing codes; the page comes back by itself.
ON_ITS_WAY = {State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED}

logger = logging.getLogger(__name__)


class Follower:
    """Looks for all who follow in one event loop."""

    def __init__(self) -> None:
        self.waiting: dict[str, set[asyncio.Event]] = {}
        self._states: dict[str, str] = {}
        self._looking: asyncio.Task[None] | None = None
        self._nudged_at = 0.0

    @property
    def count(self) -> int:
        return sum(len(events) for events in self.waiting.values())

    def join(self, purchase_id: str) -> asyncio.Event:
        event = asyncio.Event()
        self.waiting.setdefault(purchase_id, set()).add(event)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look_on())
        return event

    def leave(self, purchase_id: str, event: asyncio.Event) -> None:
        self.waiting[purchase_id].discard(event)
        if not self.waiting[purchase_id]:
            del self.waiting[purchase_id]
            self._states.pop(purchase_id, None)

    async def _look_on(self) -> None:
        pause = LOOK_SECONDS_ANNOUNCED if conf.conf().announces else LOOK_SECONDS
        while self.waiting:
            nudge = time.monotonic() - self._nudged_at >= NUDGE_SECONDS
            found = await sync_to_async(_states)(list(self.waiting), nudge=nudge)
            self._nudged_at = time.monotonic() if nudge else self._nudged_at
            for purchase_id, state in found.items():
                if self._states.get(purchase_id) != state:
                    self._states[purchase_id] = state
                    for event in self.waiting.get(purchase_id, ()):
                        event.set()
            await asyncio.sleep(pause)


def _states(purchase_ids: Iterable[str], *, nudge: bool) -> Mapping[str, str]:
    try:
        found = dict(Purchase.objects.filter(pk__in=purchase_ids).values_list("pk", "state"))
    finally:
        _let_go()
    if nudge and ON_ITS_WAY & set(map(State, found.values())):
        nudging.hurry()
    return found


def _let_go() -> None:
    if not connection.in_atomic_block:
        connection.close()


_followers: WeakKeyDictionary[asyncio.AbstractEventLoop, Follower] = WeakKeyDictionary()


def follower() -> Follower:
    return _followers.setdefault(asyncio.get_running_loop(), Follower())


class Progress(AsyncJsonWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """`/live/purchases/<id>/<secret>/`: talks, and listens to nothing."""

    _moved: asyncio.Event | None = None  # Until it has joined those who follow.
    _following: asyncio.Task[None] | None = None

    async def __call__(self, *asgi: object) -> None:
        """However it ends: of what raises or is cancelled, Channels says nothing to a consumer."""
        try:
            await super().__call__(*asgi)
        finally:
            self._leave()

    async def connect(self) -> None:
        named = self.scope["url_route"]["kwargs"]
        purchase_id = named["purchase_id"]
        is_known = ID.fullmatch(purchase_id) and addresses.is_secret(purchase_id, named["secret"])
        if not is_known or not _is_ours(self.scope):
            await self.close()
            return
        await self.accept()
        if follower().count >= FOLLOWED_MAX:
            await self.close(TOO_MANY)
            return
        self._purchase_id = purchase_id
        self._moved = follower().join(purchase_id)
        if conf.conf().announces:
            group = announcing.group(purchase_id)
            await _try(self.channel_layer.group_add(group, self.channel_name))
        self._following = asyncio.get_running_loop().create_task(self._follow(self._moved))

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - Channels' signature
        if self._moved is None:
            return
        self._leave()
        if conf.conf().announces:
            group = announcing.group(self._purchase_id)
            await _try(self.channel_layer.group_discard(group, self.channel_name))

    def _leave(self) -> None:
        if self._following is not None:
            self._following.cancel()
        if self._moved is not None:
            follower().leave(self._purchase_id, self._moved)
            self._moved = None

    async def receive(self, *_: object, **__: object) -> None:
        await self.close()

    async def purchase_moved(self, _message: Mapping[str, Any]) -> None:
        if self._moved is not None:
            self._moved.set()

    async def _follow(self, moved: asyncio.Event) -> None:
        told: dict[str, object] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FOLLOWED_SECONDS_MAX):
                while told.get("status") not in SETTLED:
                    now = await sync_to_async(_told)(self._purchase_id)
                    if now is None:
                        break
                    if now != told:
                        told = now
                        await self.send_json(told)
                    if told.get("status") not in SETTLED:
                        await moved.wait()
                        moved.clear()
        await self.close(None if told.get("status") in SETTLED else TOO_LONG)


async def _try(asked: Awaitable[None]) -> None:
    """Of the layer. Without it the row is followed alone, which is looked at anyway."""
    try:
        async with asyncio.timeout(announcing.SECONDS_MAX):
            await asked
    except (RedisError, OSError):  # A timeout is one, too.
        logger.warning("The channel layer does not answer; a page follows its row alone.")


def _told(purchase_id: str) -> dict[str, object] | None:
    """What anybody may know of it, with the words of the step that it has reached."""
    try:
        row = Purchase.objects.filter(pk=purchase_id).first()
        if row is None:
            return None
        shown = {name: value for name, value in status(row).items() if name != "problem"}
        shown.pop("granted_access_token", None)
        words = {step["state"]: step["words"] for step in purchase.steps(row)}
        return {**shown, "words": words.get(row.state, "")}
    finally:
        _let_go()


def _is_ours(scope: Mapping[str, Any]) -> bool:
    """Only pages of this site follow; a browser always says whose page it is."""
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(origins) != 1 or len(hosts) != 1:
        return False
    return bool(origins[0] == conf.conf().origin or urlsplit(origins[0]).netloc == hosts[0])
