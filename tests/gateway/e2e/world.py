"""A gate on a real socket, an upstream behind it, and somebody who sells grants for it."""

import asyncio
import contextlib
import hashlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from gateway.conf import GateConfig, Ports
from gateway.domain import ed25519
from gateway.domain.limits import parse_limits
from gateway.domain.tokens import (
    Charge,
    Grant,
    Starts,
    assemble,
    client_signing_input,
    grant_signing_input,
    kid_of,
)
from gateway.leasing import Leasing
from gateway.ledgers.port import Ledger
from gateway.listening import HttpProtocol, listener
from gateway.proxy import Gate
from gateway.routing import News, Revoked, Source
from gateway.socket_listening import OPTIONS, WebSocketProtocol
from gateway.websocket import WebSocketGate
from tests.fakes.ledger import MemoryBookings, MemoryLedger
from tests.gateway.e2e.upstreams import Upstream
from tests.gateway.tables import compile_table

ISSUER = "https://gate.example"
GRANT_SEED = hashlib.sha256(b"the gate's grant key").digest()
ACCESS_SEED = hashlib.sha256(b"the buyer's access key").digest()
KID = kid_of(ed25519.public_key(GRANT_SEED))
CALLS = [{"kind": "calls", "count": 1000}]


class HeldSource:
    """Snapshots as the test publishes them."""

    def __init__(self) -> None:
        self.tell: Callable[[News], None] = lambda news: None
        self.first: News | None = None
        self.unreadable = self.failures = 0

    def follow(self, tell: Callable[[News], None]) -> None:
        self.tell = tell
        if self.first is not None:
            tell(self.first)

    def close(self) -> None:
        pass


class World:
    def __init__(self, home: Path, **options: Any) -> None:
        self.upstream = Upstream()
        self.ledger = MemoryLedger()
        self.source = HeldSource()
        ledger: Ledger = options.pop("ledger", self.ledger)
        source: Source = options.pop("source", self.source)
        self.leasing = Leasing(ledger, home / "journals", options.pop("rates", None))
        self.bookings = MemoryBookings()
        ports = options.pop("ports", Ports(bookings=self.bookings))
        networks = options.pop("networks", ["127.0.0.1/32"])
        config = GateConfig(
            origin=ISSUER,
            upstream_networks=tuple(ip_network(network) for network in networks),
            **options,
        )
        self.gate = Gate(config, self.leasing, source, ports)
        self.version = 1
        self._has_stopped = False
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/gate/files"

    def body(self, **service: Any) -> dict[str, Any]:
        offer = {
            "name": "Hour pass",
            "price": {"amount": "2500000", "asset": "USDC"},
            "access_seconds": 3600,
            "limits": CALLS,
            "words": ["1,000 calls"],
        }
        routes = [
            {"id": "files/all", "name": "All", "path": "/", "methods": [], "offers": [offer]},
            {
                "id": "files/premium",
                "name": "Premium",
                "path": "/premium",
                "methods": ["GET"],
                "offers": [offer],
            },
        ]
        upstreams = [{"url": f"http://127.0.0.1:{self.upstream.port}/base"}]
        described = {
            "slug": "files",
            "name": "Files",
            "hosts": ["files.example"],
            "root_path": None,
            "secret": None,
            "upstreams": upstreams,
            "timeouts": {"connect_ms": 1000, "first_byte_ms": 2000, "idle_ms": 2000},
            "routes": routes,
            **service,
        }
        keys = {KID: ed25519.public_key(GRANT_SEED).hex()}
        return {"issuer": ISSUER, "keys": keys, "services": [described]}

    def publish(self, body: Mapping[str, Any] | None = None, **service: Any) -> None:
        self.version += 1
        described = {**(body or self.body(**service)), "version": self.version}
        self.source.tell(News(compile_table(described)))

    def revoke(self, grant: Grant, token: str = "") -> None:
        self.source.tell(News(None, (Revoked(grant.id, token),)))

    def grant(self, **changes: Any) -> Grant:
        now = int(time.time())
        limits = changes.pop("limits", CALLS)
        described: dict[str, Any] = {
            "issuer": ISSUER,
            "audience": ISSUER,
            "buyer": "GBUYER",
            "id": secrets.token_hex(32),
            "issued_at": now,
            "not_before": now,
            "expires_at": now + 3600,
            "route": "files/all",
            "limits": parse_limits(limits),
            "starts": Starts.PURCHASE,
            "access_seconds": None,
            "charge": Charge.SUCCESS,
            "adjustable": False,
            "meter": None,
            "quote": "0" * 64,
            "pay": None,
            "access_key": ed25519.public_key(ACCESS_SEED),
        }
        grant = Grant(**{**described, **changes})
        self.ledger.open(grant)
        return grant

    def token(self, grant: Grant, **scope: Any) -> str:
        return token(grant, **scope)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection, closed with the world at the latest."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**22)
        self._writers.append(writer)
        return reader, writer

    async def disconnect(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def stop(self) -> None:
        """Once, before the end of a test or at it."""
        if not self._has_stopped:
            self._has_stopped = True
            await self.gate.stop()

    async def settled(self) -> None:
        """Until nothing runs any more, and `used` is right."""
        await eventually(lambda: len(self.gate.watch) == 0 and self.is_booked)

    @property
    def is_booked(self) -> bool:
        """Nothing is on its way to the ledger, or back."""
        return self.leasing._busy is None

    def used(self, grant: Grant, index: int = 0) -> int:
        """Units spent: what the ledger counts, without what lies in an unspent lease."""
        held = self.leasing.allowance(grant).holdings[index].held
        return self.ledger.used_of(grant, index) - held


def granted(grant: Grant, seed: bytes = GRANT_SEED, kid: str = KID) -> str:
    signed = grant_signing_input(grant, kid)
    return assemble(signed, ed25519.sign(seed, signed))


def token(grant: Grant, *, expires_in: float = 600, seed: bytes = ACCESS_SEED, **scope: Any) -> str:
    whole = granted(grant)
    if grant.access_key is None:
        return whole
    signed = client_signing_input(whole, expires_at=int(time.time() + expires_in), **scope)
    return f"{whole}~{assemble(signed, ed25519.sign(seed, signed))}"


async def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        await asyncio.sleep(0.01)


def serving(gate: Gate) -> Any:
    sockets = WebSocketGate(gate)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert gate.owns(scope)
        await (gate if scope["type"] == "http" else sockets)(scope, receive, send)

    return application


@contextlib.asynccontextmanager
async def running(
    world: World, protocol: type[HttpProtocol] = HttpProtocol
) -> AsyncIterator[World]:
    """The gate behind the protocol that it is served by, without the server's own slow farewell."""
    await world.upstream.start()
    world.source.first = News(compile_table(world.body()))
    config = uvicorn.Config(
        serving(world.gate),
        http=protocol,
        ws=WebSocketProtocol,
        lifespan="off",
        log_config=None,
        **OPTIONS,
    )
    config.proxy_headers = config.access_log = False
    config.load()
    state = ServerState()
    bound = listener("127.0.0.1", 0)
    world.port = bound.getsockname()[1]
    await world.gate.start()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), sock=bound
    )
    try:
        yield world
    finally:
        server.close()
        await world.disconnect()
        await world.upstream.stop()
        await world.stop()
        for connection in list(state.connections):
            connection.shutdown()
        await eventually(lambda: not state.connections)


def small_buffers() -> socket.socket:
    """A client that takes little in before it reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.setblocking(False)
    return client
