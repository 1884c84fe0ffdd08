"""Loads that last: many streams of events, many silent ones, many WebSockets that are echoed.

What counts is the processor time that the proxy spends on each event or message: the readers here
and the upstream share the other core, so that a rate would measure them.
"""

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from benchmarks.figures import percentile
from benchmarks.processes import memory_bytes, processor_seconds
from benchmarks.subjects import Subject

OPENED_AT_ONCE = 50
OPEN_SECONDS = 60.0
SETTLE_SECONDS = 1.0
EVENT = re.compile(rb"data: (\d+) ")
KEY = base64.b64encode(b"sixteen bytes ok")
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
MASK = 0x01020304
SAID = b"x" * 32
C = TypeVar("C", bound="Client")


def frame(said: bytes) -> bytes:
    """A short masked text message."""
    mask = int.from_bytes((MASK.to_bytes(4) * (len(said) // 4 + 1))[: len(said)])
    masked = int.from_bytes(said) ^ mask
    return bytes((0x81, 0x80 | len(said))) + MASK.to_bytes(4) + masked.to_bytes(len(said))


class Client(asyncio.Protocol):
    """One connection, with its request sent and the head of the answer awaited."""

    def __init__(self, request: bytes, status: bytes) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self._request = request
        self._status = status
        self._head = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"closed after {self._head!r}"))

    def data_received(self, data: bytes) -> None:
        if self.opened.done():
            return self.came(data)
        self._head += data
        if b"\r\n\r\n" in self._head:
            if self._head.split(b" ", 2)[1] == self._status:
                self.opened.set_result(None)
            else:
                self.opened.set_exception(ConnectionError(self._head.decode(errors="replace")))
        return None

    def came(self, data: bytes) -> None:
        """Nothing is expected on a silent stream."""


class Listener(Client):
    delays_ms: list[float]

    def came(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self.delays_ms += [(now - int(sent)) / 1e6 for sent in EVENT.findall(data)]


class Echoed(Client):
    """Says the next word when the last one has come back."""

    count = 0
    _bytes = 0

    def say(self) -> None:
        self.transport.write(frame(SAID))

    def came(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes >= len(SAID) + 2:
            self._bytes -= len(SAID) + 2
            self.count += 1
            self.say()


@asynccontextmanager
async def opened(
    kind: Callable[[bytes, bytes], C], subject: Subject, path: str, count: int
) -> AsyncIterator[list[C]]:
    parts = urlsplit(f"{subject.base}{path}")
    is_socket = path.endswith("/echo")
    extra = UPGRADE + b"Sec-WebSocket-Key: " + KEY + b"\r\n" if is_socket else b""
    head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\napicharge: {subject.token}\r\n"
    request = head.encode() + extra + b"\r\n"
    status = b"101" if is_socket else b"200"
    loop = asyncio.get_running_loop()
    clients: list[C] = []
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            for start in range(0, count, OPENED_AT_ONCE):
                for _ in range(min(OPENED_AT_ONCE, count - start)):
                    _, client = await loop.create_connection(
                        lambda: kind(request, status), parts.hostname, parts.port
                    )
                    clients.append(client)
                await asyncio.gather(*(client.opened for client in clients[start:]))
        yield clients
    finally:
        for client in clients:
            client.transport.abort()
        await asyncio.sleep(SETTLE_SECONDS)


@dataclass(frozen=True, slots=True)
class Live:
    each_us: float
    """Of the proxy's processor time, an event or message."""
    per_second: float
    late_ms: float = 0.0
    """99 of 100 events took at most this from the upstream to the reader."""


async def events(subject: Subject, count: int, seconds: float) -> Live:
    delays: list[float] = []

    def listener(request: bytes, status: bytes) -> Listener:
        made = Listener(request, status)
        made.delays_ms = delays
        return made

    async with opened(listener, subject, "/live/events", count):
        await asyncio.sleep(SETTLE_SECONDS)
        delays.clear()
        before = processor_seconds(subject.process.pid)
        await asyncio.sleep(seconds)
        spent, came = processor_seconds(subject.process.pid) - before, list(delays)
    return Live(spent / len(came) * 1e6, len(came) / seconds, percentile(came, 0.99))


async def echoes(subject: Subject, count: int, seconds: float) -> Live:
    async with opened(Echoed, subject, "/live/echo", count) as clients:
        for client in clients:
            client.say()
        await asyncio.sleep(SETTLE_SECONDS)
        said = sum(client.count for client in clients)
        before = processor_seconds(subject.process.pid)
        await asyncio.sleep(seconds)
        spent = processor_seconds(subject.process.pid) - before
        said = sum(client.count for client in clients) - said
    return Live(spent / said * 1e6, said / seconds)


async def kib_per_idle_stream(subject: Subject, count: int) -> float:
    before = memory_bytes(subject.process.pid)
    async with opened(Client, subject, "/live/idle", count):
        await asyncio.sleep(SETTLE_SECONDS)
        return (memory_bytes(subject.process.pid) - before) / count / 1024
