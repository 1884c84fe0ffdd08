"""The exchanges of speaking.py over HTTP/2, all of a world on one connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from h2.errors import ErrorCodes
from websockets.frames import Close, Frame, Opcode

from gateway.http2.connection import Http2Protocol
from tests.gateway.e2e import speaking
from tests.gateway.e2e.speaking import PIECE_BYTES, Ending, Far, Speaker, problem_in
from tests.gateway.e2e.world import World
from tests.http2 import Heard, connected
from tests.websocket_streams import opened


@contextlib.asynccontextmanager
async def http2(world: World, far: Far) -> AsyncIterator[None]:
    async with speaking.http(world, far), connected("127.0.0.1", world.port) as far.client:
        yield


def told_of(heard: Heard) -> str:
    """The problem's name, of an answer or in the trailers of one."""
    told = (heard.trailers or heard.head).get("apicharge-problem", "").rpartition("/")[2]
    return told or (problem_in(heard.body) if heard.status not in {None, "200"} else "")


def is_complete(heard: Heard) -> bool:
    """RFC 9113, 8.1: after the whole answer NO_ERROR says that no more of the request is wanted."""
    status = (heard.trailers or heard.head).get("grpc-status", "0")
    return heard.is_whole and heard.reset in {None, ErrorCodes.NO_ERROR} and status == "0"


class Down(speaking.Down):
    server = Http2Protocol
    upstream = staticmethod(http2)

    async def begin(self, presented: str) -> str:
        self.client = self.far.client
        self.stream = await self._ask([("apicharge", presented), ("accept", self.accept)])
        self.heard = self.client.streams[self.stream]
        await self.push()
        await self.client.until(lambda: len(self.heard.body) >= PIECE_BYTES or self.heard.is_over)
        if not self.heard.is_over:
            await self._sink()
        return told_of(self.heard)

    async def _ask(self, fields: list[tuple[str, str]]) -> int:
        asked = self.client.head(f"/gate/files/{self.name}", headers=fields)
        return int(await self.client.begin(asked))

    async def leave(self) -> Ending:
        self.client.h2.reset_stream(self.stream, 8)
        await self.client.flush()
        return Ending(self.delivered, False)

    async def _sink(self) -> None:
        self.delivered += PIECE_BYTES
        await self.client.until(lambda: len(self.heard.body) >= self.delivered)

    async def ending(self) -> Ending:
        await self.client.over(self.stream)
        return Ending(len(self.heard.body), is_complete(self.heard), told_of(self.heard))


class Up(speaking.Up):
    server = Http2Protocol
    upstream = staticmethod(http2)

    async def begin(self, presented: str) -> str:
        self.client = self.far.client
        self.stream = await self._ask([("apicharge", presented)])
        self.heard = self.client.streams[self.stream]
        await self.push()
        await self._sink(PIECE_BYTES)
        if not self.heard.status:
            return ""
        await self.client.over(self.stream)
        return told_of(self.heard)

    async def _ask(self, fields: list[tuple[str, str]]) -> int:
        asked = self.client.head(f"/gate/files/{self.name}", method="POST", headers=fields)
        return int(await self.client.begin(asked, end=False))

    async def piece(self) -> None:
        before = self.far.received[self.name]
        await self.push()
        await self._sink(before + PIECE_BYTES)
        assert not self.heard.status

    async def _sink(self, count: int) -> None:
        while self.far.received[self.name] < count and not self.heard.status:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def push(self) -> None:
        self.client.h2.send_data(self.stream, self.one)
        await self.client.flush()

    async def finish(self) -> None:
        self.client.h2.end_stream(self.stream)
        await self.client.flush()

    async def leave(self) -> Ending:
        self.client.h2.reset_stream(self.stream, 8)
        await self.client.flush()
        await self.far.gone[self.name].wait()
        return Ending(self.far.received[self.name], self.name in self.far.whole)

    async def ending(self) -> Ending:
        await self.client.over(self.stream)
        await self.far.gone[self.name].wait()
        is_whole = self.name in self.far.whole
        return Ending(self.far.received[self.name], is_whole, told_of(self.heard))


@contextlib.asynccontextmanager
async def websocket(world: World, far: Far) -> AsyncIterator[None]:
    async with speaking.websocket(world, far), connected("127.0.0.1", world.port) as far.client:
        yield


class Sockets(speaking.Sockets):
    server = Http2Protocol
    upstream = staticmethod(websocket)

    async def begin(self, presented: str) -> str:
        await self.push()
        path, asked = f"/gate/files/{self.name}", [("apicharge", presented)]
        self.socket = await opened(self.far.client, path, headers=asked)
        heard = self.socket.heard
        if heard.status != "200":
            await self.far.client.until(lambda: heard.is_over)
            return told_of(heard)
        await self._sink()
        return ""

    async def leave(self) -> Ending:
        await self.socket.reset()
        return Ending(self.delivered, False)

    async def _sink(self) -> None:
        self._take(await self.socket.next())

    def _take(self, frame: Frame) -> None:
        assert frame.opcode is Opcode.TEXT
        self.delivered += len(frame.data)

    async def ending(self) -> Ending:
        while (frame := await self.socket.next()).opcode is not Opcode.CLOSE:
            self._take(frame)
        close = Close.parse(frame.data)
        return self._ended(close.code, close.reason)


SPEAKERS: dict[str, type[Speaker]] = {"h2-down": Down, "h2-up": Up, "h2-websocket": Sockets}
