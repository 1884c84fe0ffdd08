"""One exchange of each protocol, moved piece by piece by a test, over real sockets.

Pieces flow from a source to a sink: down from the upstream to the client, or up. `piece` is done
when the sink has it, so a test knows what was delivered before it ends the exchange in some way.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.domain import closing, errors
from gateway.listening import HttpProtocol
from tests.gateway.e2e.sockets import SocketUpstream, opening, publish
from tests.gateway.e2e.upstreams import Reader, Request, Writer
from tests.gateway.e2e.world import World

PIECE_BYTES = 10
PATIENCE_S = 60.0  # Of a busy machine.
TIMEOUTS = {"connect_ms": 60_000, "first_byte_ms": 60_000, "idle_ms": 60_000}


@dataclass(frozen=True, slots=True)
class Ending:
    """What the sink got, whether it ended as a whole one does, and what the client was told."""

    delivered: int
    is_whole: bool
    told: str = ""


class Far:
    """The upstream's side of the exchanges of one world, told apart by their paths."""

    def __init__(self) -> None:
        self.acts: dict[str, asyncio.Queue[bytes | None]] = {}
        self.received: dict[str, int] = {}
        self.whole: set[str] = set()
        self.gone: dict[str, asyncio.Event] = {}
        self.client: Any = None
        """The near side's, where it is one for all."""

    def expect(self, name: str) -> "asyncio.Queue[bytes | None]":
        self.received[name] = 0
        self.gone[name] = asyncio.Event()
        return self.acts.setdefault(name, asyncio.Queue())

    async def __call__(self, request: Request, reader: Reader, writer: Writer) -> None:
        name = request.target.rpartition("/")[2]
        try:
            if request.method == "POST":
                await self._take(name, reader, writer)
            else:
                await self._give(name, request.values("accept")[0], writer)
        finally:
            self.gone[name].set()

    def vanish(self) -> None:
        for acts in self.acts.values():
            acts.put_nowait(None)

    async def talk(self, peer: ServerConnection) -> None:
        assert peer.request is not None
        name = peer.request.path.rpartition("/")[2]
        while (piece := await self.acts[name].get()) is not None:
            if not piece:
                return await peer.close()
            await peer.send(piece.decode())
        return peer.transport.abort()

    async def _give(self, name: str, kind: str, writer: Writer) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        while (piece := await self.acts[name].get()) is not None:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if not piece:
                return await writer.drain()
        return writer.transport.abort()

    async def _take(self, name: str, reader: Reader, writer: Writer) -> None:
        broken = asyncio.ensure_future(self.acts[name].get())
        reading = asyncio.ensure_future(self._count(name, reader))
        await asyncio.wait([broken, reading], return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            broken.cancel()
            reading.result()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            reading.cancel()
            writer.transport.abort()

    async def _count(self, name: str, reader: Reader) -> None:
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            while size:
                part = await reader.read(size)
                if not part:
                    raise asyncio.IncompleteReadError(b"", size)
                size -= len(part)
                self.received[name] += len(part)
            await reader.readexactly(2)
        await reader.readexactly(2)
        self.whole.add(name)


@contextlib.asynccontextmanager
async def http(world: World, far: Far) -> AsyncIterator[None]:
    world.upstream.answering = far
    world.publish(timeouts=TIMEOUTS)
    yield


@contextlib.asynccontextmanager
async def websocket(world: World, far: Far) -> AsyncIterator[None]:
    upstream = SocketUpstream()
    upstream.talk = far.talk
    await upstream.start()
    publish(world, upstream, timeouts=TIMEOUTS)
    yield
    far.vanish()
    await upstream.stop()


def all_of(count: int) -> int:
    return count


class Spoken:
    """What all of them have."""

    tells = True
    has_messages = False
    """What it carries is delivered whole, or not at all."""
    counts_messages = False
    """Each piece is one."""
    one = b"0123456789"
    """A piece."""
    upstream = staticmethod(http)
    server = HttpProtocol
    visible = staticmethod(all_of)
    """How many of the bytes delivered the sink can see."""

    def __init__(self, world: World, far: Far, name: str) -> None:
        self.world = world
        self.far = far
        self.name = name
        self.acts = far.expect(name)
        self.delivered = 0

    def break_off(self) -> None:
        """The upstream vanishes."""
        self.acts.put_nowait(None)


class Down(Spoken):
    """An answer over HTTP/1.1."""

    direction = "down"
    accept = "application/octet-stream"
    tells = False

    async def begin(self, presented: str) -> str:
        """What a refusal says, or nothing."""
        self.reader, self.writer = await self.world.connect()
        self.writer.write(
            f"GET /gate/files/{self.name} HTTP/1.1\r\nHost: x\r\nAccept: {self.accept}\r\n"
            f"apicharge: {presented}\r\n\r\n".encode()
        )
        self.acts.put_nowait(self.one)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            return await said(head, self.reader)
        await self._sink()
        return ""

    async def piece(self) -> None:
        await self.push()
        await self._sink()

    async def push(self) -> None:
        """Whether it arrives or not."""
        self.acts.put_nowait(self.one)

    async def finish(self) -> None:
        self.acts.put_nowait(b"")

    async def leave(self) -> Ending:
        self.writer.transport.abort()
        return Ending(self.delivered, False)

    async def _sink(self) -> None:
        self.delivered += len(await self._chunk())

    async def _chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:size]

    async def ending(self) -> Ending:
        told = b""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while chunk := await self._chunk():
                if told or chunk.lstrip().startswith(b"event: error"):
                    told += chunk
                else:
                    self.delivered += len(chunk)
            return Ending(self.delivered, True)
        return Ending(self.delivered, False, problem_in(told.partition(b"data: ")[2]))


class Events(Down):
    """Server-sent events."""

    accept = "text/event-stream"
    one = b"data: 12\n\n"
    tells = counts_messages = True


class Sockets(Down):
    """Messages of a WebSocket's upstream."""

    tells = has_messages = counts_messages = True
    upstream = staticmethod(websocket)

    async def begin(self, presented: str) -> str:
        await self.push()
        try:
            self.client: Any = await opening(self.world, presented, f"/{self.name}")
        except InvalidStatus as exc:
            return problem_in(exc.response.body or b"")
        await self._sink()
        return ""

    async def leave(self) -> Ending:
        self.client.transport.abort()
        return Ending(self.delivered, False)

    async def _chunk(self) -> bytes:
        return str(await self.client.recv()).encode()

    async def ending(self) -> Ending:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._sink()
        return self._ended(self.client.close_code, self.client.close_reason)

    def _ended(self, code: int, reason: str) -> Ending:
        if code == closing.NORMAL:
            return Ending(self.delivered, True)
        if reason == errors.OUTSIDE_SCHEDULE.title:
            return Ending(self.delivered, False, errors.OUTSIDE_SCHEDULE.slug)
        return Ending(self.delivered, False, TOLD[code])


TOLD = {
    4001: "token-revoked",
    4002: "grant-expired",
    4003: "quota-exhausted",
    1012: "gate-closing",
    1014: "upstream-invalid",
}


class Up(Spoken):
    """A body over HTTP/1.1, chunked."""

    direction = "up"

    async def begin(self, presented: str) -> str:
        self.reader, self.writer = await self.world.connect()
        self.writer.write(
            f"POST /gate/files/{self.name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            f"apicharge: {presented}\r\n\r\n".encode()
        )
        await self.push()
        heard = asyncio.ensure_future(self.reader.readuntil(b"\r\n\r\n"))
        while not heard.done() and self.far.received[self.name] < PIECE_BYTES:
            await asyncio.wait([heard], timeout=0.01)
        if heard.done():
            return await said(heard.result(), self.reader)
        self._heard = heard
        return ""

    async def piece(self) -> None:
        before = self.far.received[self.name]
        await self.push()
        while self.far.received[self.name] < before + PIECE_BYTES:
            assert not self._heard.done(), self._heard.result()
            await asyncio.wait([self._heard], timeout=0.01)

    async def push(self) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (PIECE_BYTES, self.one))

    async def finish(self) -> None:
        self.writer.write(b"0\r\n\r\n")

    async def leave(self) -> Ending:
        self._heard.cancel()
        self.writer.transport.abort()
        return await self.ending()

    async def ending(self) -> Ending:
        told = ""
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            head = await self._heard
            told = "" if head.startswith(b"HTTP/1.1 200") else await said(head, self.reader)
        await self.far.gone[self.name].wait()
        return Ending(self.far.received[self.name], self.name in self.far.whole, told)


async def said(head: bytes, reader: Reader) -> str:
    """The problem's name in an answer."""
    lines = dict(line.partition(b": ")[::2] for line in head.lower().split(b"\r\n")[1:])
    return problem_in(await reader.readexactly(int(lines[b"content-length"])))


def problem_in(document: bytes) -> str:
    return str(json.loads(document)["type"]).rpartition("/")[2] if document else ""


Speaker = Down | Up
SPEAKERS: dict[str, type[Speaker]] = {
    "down": Down,
    "up": Up,
    "events": Events,
    "websocket": Sockets,
}
