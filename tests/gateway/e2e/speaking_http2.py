"""The exchanges of speaking.py over HTTP/2, all of a world on one connection; and gRPC's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from gateway.http2.connection import Http2Protocol
from tests.gateway.e2e import speaking
from tests.gateway.e2e.speaking import PIECE_BYTES, TIMEOUTS, Ending, Far, Speaker, problem_in
from tests.gateway.e2e.world import World
from tests.http2 import connected

PREFIX_BYTES = 5  # Of a gRPC message: what it is, and how long.
METHOD = "/pkg.Echo/Down"


@contextlib.asynccontextmanager
async def http2(world: World, far: Far) -> AsyncIterator[None]:
    async with speaking.http(world, far), connected("127.0.0.1", world.port) as far.client:
        yield


class Down(speaking.Down):
    server = Http2Protocol
    upstream = staticmethod(http2)

    async def begin(self, presented: str) -> str:
        self.client = self.far.client
        await self.push()
        fields = [("apicharge", presented), ("accept", self.accept)]
        asked = self.client.head(f"/gate/files/{self.name}", headers=fields)
        self.stream = await self.client.begin(asked)
        self.heard = self.client.streams[self.stream]
        await self.client.until(lambda: self.heard.status is not None)
        if self.heard.status != "200":
            await self.client.over(self.stream)
            return problem_in(self.heard.body)
        await self._sink()
        return ""

    async def leave(self) -> Ending:
        self.client.h2.reset_stream(self.stream, 8)
        await self.client.flush()
        return Ending(self.delivered, False)

    async def _sink(self) -> None:
        self.delivered += PIECE_BYTES
        await self.client.until(lambda: len(self.heard.body) >= self.delivered)

    async def ending(self) -> Ending:
        await self.client.over(self.stream)
        return Ending(len(self.heard.body), self.heard.is_whole and self.heard.reset is None)


class Up(speaking.Up):
    server = Http2Protocol
    upstream = staticmethod(http2)

    async def begin(self, presented: str) -> str:
        self.client = self.far.client
        fields = [("apicharge", presented)]
        path = f"/gate/files/{self.name}"
        asked = self.client.head(path, method="POST", headers=fields)
        self.stream = await self.client.begin(asked, end=False)
        self.heard = self.client.streams[self.stream]
        await self.push()
        await self._sink(PIECE_BYTES)
        if not self.heard.status:
            return ""
        await self.client.over(self.stream)
        return problem_in(self.heard.body)

    async def piece(self) -> None:
        before = self.far.received[self.name]
        await self.push()
        await self._sink(before + PIECE_BYTES)
        assert not self.heard.status

    async def _sink(self, count: int) -> None:
        while self.far.received[self.name] < count and not self.heard.status:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def push(self) -> None:
        self.client.h2.send_data(self.stream, b"0123456789")
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
        told = "" if self.heard.status == "200" else problem_in(self.heard.body)
        await self.far.gone[self.name].wait()
        return Ending(self.far.received[self.name], self.name in self.far.whole, told)


@contextlib.asynccontextmanager
async def grpc_service(world: World, far: Far) -> AsyncIterator[None]:
    async def down(request: bytes, context: Any) -> AsyncIterator[bytes]:
        while (piece := await far.acts[request.decode()].get()) is not None:
            if not piece:
                return
            yield piece[PREFIX_BYTES:]
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    server = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(down)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("pkg.Echo", {"Down": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    world.publish(upstreams=[{"url": f"grpc://127.0.0.1:{port}"}], timeouts=TIMEOUTS)
    options = [("grpc.default_authority", "files.example"), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}", options=options) as far.client:
        yield
    far.vanish()
    await server.stop(0)


def messages_of(count: int) -> int:
    return count // PIECE_BYTES * PIECE_BYTES


class Grpc(speaking.Down):
    """What a server streams to grpcio's own client."""

    tells = True
    server = Http2Protocol
    upstream = staticmethod(grpc_service)
    visible = staticmethod(messages_of)

    async def begin(self, presented: str) -> str:
        await self.push()
        asked = [("apicharge", presented)]
        ask = self.far.client.unary_stream(METHOD)
        self.call: Any = ask(self.name.encode(), metadata=asked)
        try:
            await self._sink()
        except grpc.aio.AioRpcError as exc:
            return _problem_of(exc)
        return ""

    async def leave(self) -> Ending:
        self.call.cancel()
        return Ending(self.delivered, False)

    async def _sink(self) -> None:
        message = await self.call.read()
        assert message is not grpc.aio.EOF
        self.delivered += PREFIX_BYTES + len(message)

    async def ending(self) -> Ending:
        try:
            while (message := await self.call.read()) is not grpc.aio.EOF:
                self.delivered += PREFIX_BYTES + len(message)
        except grpc.aio.AioRpcError as exc:
            return Ending(self.delivered, False, _problem_of(exc))
        return Ending(self.delivered, await self.call.code() is grpc.StatusCode.OK)


def _problem_of(error: grpc.aio.AioRpcError) -> str:
    trailers: dict[str, Any] = dict(error.trailing_metadata() or ())
    if error.code() is grpc.StatusCode.UNAVAILABLE and "apicharge-problem" not in trailers:
        return "upstream-invalid"  # The upstream's own word, which passes as it is.
    return str(trailers.get("apicharge-problem", "")).rpartition("/")[2]


SPEAKERS: dict[str, type[Speaker]] = {"h2-down": Down, "h2-up": Up, "grpc": Grpc}
