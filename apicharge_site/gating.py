"""The gate of this process, made of what settings say, and what it may ask of the console."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, connection

from apicharge_site import exchanging
from apicharge_site.circuits import Circuits
from billing import instructing
from gateway.asgi import Receive, Scope, Send, answer
from gateway.conf import GateConfig, Ports
from gateway.domain.networks import network_of
from gateway.figures import Figure, Histogram, figures
from gateway.leasing import Leasing
from gateway.ledgers import sole
from gateway.ledgers.booking import Bookings
from gateway.ledgers.chronicling import Books
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.rates import LocalRates
from gateway.ledgers.redis import RedisRates
from gateway.proxy import Gate
from gateway.snapshots import Snapshots
from gateway.websocket import WebSocketGate
from marketplace import fronting, pages

T = TypeVar("T")

# What a 402 asks of the console waits here, so that a slow database never holds up paid calls.
BESIDE = ThreadPoolExecutor(4, thread_name_prefix="beside")
# Strangers ask for it. Beyond this many a 402 goes without: it says how to buy all the same.
BESIDE_MAX = 64
# Its own thread: strangers who keep the others busy must not make this process look unready.
READINESS = ThreadPoolExecutor(1, thread_name_prefix="readiness")


async def beside(work: Callable[[], T], pool: ThreadPoolExecutor = BESIDE) -> T:
    """Database work in a thread that keeps no connection."""

    def run() -> T:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(pool, run)


class Courtesy:
    """What is left out while too many wait for it."""

    def __init__(self, most: int = BESIDE_MAX) -> None:
        self._left = most

    async def __call__(self, work: Callable[[], T | None]) -> T | None:
        if not self._left:
            return None
        self._left -= 1
        try:
            return await beside(work)
        finally:
            self._left += 1


courtesy = Courtesy()


async def database_answers() -> bool:
    def select() -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            return False
        return True

    return await beside(select, READINESS)


class MountedGate:
    """Started by the server's lifespan, or by the first call under a server that has none."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._sockets = WebSocketGate(gate)
        self._starting: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._has_started = False
        self.owns = gate.owns

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Hands over without a coroutine of its own: each would cost every call.
        if self._has_started and not exchanging.is_exchange(scope):
            return self._gate(scope, receive, send)
        return self._started(scope, receive, send)

    async def _started(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.start()
        if exchanging.is_exchange(scope):
            await answer(send, await exchanging.reply(scope, courtesy))
        else:
            await self._gate(scope, receive, send)

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_started:
            await self.start()
        await self._sockets(scope, receive, send)

    async def start(self) -> None:
        if self._starting is None or (self._starting.done() and not self._has_started):
            self._starting = asyncio.get_running_loop().create_task(self._start())
        # Whoever gives up waiting must not leave a gate that is started half.
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        await self._gate.start()
        telling = Circuits(self._gate.calling.known).run()
        self._telling = asyncio.get_running_loop().create_task(telling)
        self._has_started = True

    async def stop(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        if self._has_started:
            await self._gate.stop()

    def figures(self) -> Iterator[Figure | Histogram]:
        return figures(self._gate)

    async def is_ready(self) -> bool:
        if not self._has_started:
            await self.start()
        return self._gate.routing.table is not None and self._gate.routing.is_fresh()


def config() -> GateConfig:
    return GateConfig(
        origin=settings.ORIGIN,
        prefix=settings.GATE_PREFIX,
        upstream_networks=tuple(ip_network(text) for text in settings.UPSTREAM_NETWORKS),
        own_addresses=settings.OWN_ADDRESSES,
        strangers=settings.UNPAID_CALLS,
    )


def mounted() -> MountedGate | None:
    """None where the role has no gate."""
    if settings.ROLE not in {"all", "gateway"}:
        return None
    told = config()
    rates = RedisRates(settings.REDIS_URL) if settings.REDIS_URL else LocalRates(sole.lock())
    leasing = Leasing(DatabaseLedger(), settings.HOME / "journals", rates)
    source = Snapshots(prefix=settings.GATE_PREFIX, poll_seconds=told.snapshot_poll_seconds)
    return MountedGate(Gate(told, leasing, source, _ports()))


def _ports() -> Ports:
    """A gateway node has no keys to sign quotes with, so its 402 comes from the snapshot alone."""
    if settings.ROLE == "gateway":
        return Ports(front_page=_front_page, bookings=Bookings(), books=Books())
    return Ports(
        purchase_page=_purchase_page,
        front_page=_front_page,
        signable=_signable,
        bookings=Bookings(),
        books=Books(),
    )


async def _front_page(slug: str, path: str) -> bytes | None:
    return await courtesy(lambda: fronting.front_page(slug, path, settings.ORIGIN))


async def _purchase_page(route_id: str, asked: str) -> bytes | None:
    return await courtesy(lambda: pages.purchase_page(route_id, settings.ORIGIN, asked))


async def _signable(route_id: str, buyer: str, client: str) -> Mapping[str, object] | None:
    network, now_s = network_of(client), time.time()
    return await courtesy(lambda: instructing.signable(route_id, buyer, network, now_s=now_s))
