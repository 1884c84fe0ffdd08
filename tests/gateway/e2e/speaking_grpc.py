"""gRPC's four kinds of call.

Where a server streams, grpcio's own client and server speak. The other kinds are spoken frame by
frame: a message that comes piece by piece is one that they do not show, and their client tells who
still writes to a call that is over nothing of why it is.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import grpc
from h2.exceptions import StreamClosedError

from gateway.http2.connection import Http2Protocol
from tests.gateway.e2e import speaking, speaking_http2
from tests.gateway.e2e.speaking import PIECE_BYTES, TIMEOUTS, Ending, Far, Speaker
from tests.gateway.e2e.world import World
from tests.gateway.http2.serving import body, serving, start
from tests.http2 import connected

PREFIX_BYTES = 5  # Of a gRPC message: what it is, and how long.
MESSAGE = b"\0\0\0\0\5hello"
NAME = "x-name"
KIND = "application/grpc"
ASKED = ("content-type", KIND)


@contextlib.asynccontextmanager
async def service(world: World, far: Far) -> AsyncIterator[None]:
    async def down(_request: bytes, context: Any) -> AsyncIterator[bytes]:
        acts = far.acts[dict(context.invocation_metadata())[NAME]]
        while (piece := await acts.get()) is not None:
            if not piece:
                return
            yield piece[PREFIX_BYTES:]
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    server = grpc.aio.server()
    handlers = {"Down": grpc.unary_stream_rpc_method_handler(down)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pkg.Echo", handlers),))
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


class Down(speaking.Down):
    """What a server streams."""

    tells = counts_messages = True
    server = Http2Protocol
    upstream = staticmethod(service)
    visible = staticmethod(messages_of)
    one = MESSAGE

    async def begin(self, presented: str) -> str:
        self.call = self._call([("apicharge", presented), (NAME, self.name)])
        await self.push()
        try:
            await self._sink()
        except grpc.aio.AioRpcError as exc:
            return _problem_of(exc)
        return ""

    def _call(self, metadata: list[tuple[str, str]]) -> Any:
        return self.far.client.unary_stream("/pkg.Echo/Down")(b"", metadata=metadata)

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


@contextlib.asynccontextmanager
async def frames(world: World, far: Far) -> AsyncIterator[None]:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].rpartition("/")[2]
        carry = _take if name.startswith("grpc-up") else _give
        try:
            is_well = await carry(far, name, receive, send)
        finally:
            far.gone[name].set()
        if not is_well:
            scope["extensions"]["abort"]()

    async with serving(application) as (host, port):
        world.publish(upstreams=[{"url": f"grpc://{host}:{port}"}], timeouts=TIMEOUTS)
        async with connected("127.0.0.1", world.port) as far.client:
            yield
        far.vanish()


async def _begin(send: Any) -> None:
    await start(send, headers=[(b"content-type", KIND.encode())], trailers=True)


async def _end(send: Any) -> bool:
    await body(send, b"", more=False)
    await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]})
    return True


async def _give(far: Far, name: str, receive: Any, send: Any) -> bool:
    await _begin(send)
    while (piece := await far.acts[name].get()) is not None:
        if not piece:
            return await _end(send)
        await body(send, await _heard(receive) if name.startswith("grpc-both") else piece)
    return False


async def _heard(receive: Any) -> bytes:
    """One message of the client's."""
    message = b""
    while len(message) < PIECE_BYTES:
        message += (await receive())["body"]
    return message


async def _take(far: Far, name: str, receive: Any, send: Any) -> bool:
    broken = asyncio.ensure_future(far.acts[name].get())
    reading = asyncio.ensure_future(_count(far, name, receive))
    await asyncio.wait([broken, reading], return_when=asyncio.FIRST_COMPLETED)
    broken.cancel()
    reading.cancel()
    if name not in far.whole:
        return False
    await _begin(send)
    return await _end(send)


async def _count(far: Far, name: str, receive: Any) -> None:
    while (message := await receive())["type"] == "http.request":
        far.received[name] += len(message["body"])
        if not message["more_body"]:
            far.whole.add(name)
            return


class Framed(speaking_http2.Down):
    tells = True
    upstream = staticmethod(frames)
    one = MESSAGE

    async def _ask(self, fields: list[tuple[str, str]]) -> int:
        path, asked = f"/gate/files/{self.name}", [*fields, ASKED]
        head = self.client.head(path, method="POST", headers=asked)
        return int(await self.client.begin(head, end=False))


class Unary(Framed):
    """One message of 30 bytes, of which three pieces are made."""

    one = b"0123456789"

    def __init__(self, world: World, far: Far, name: str) -> None:
        super().__init__(world, far, name)
        self._pieces = itertools.chain([b"\0\0\0\0\x19hello"], itertools.repeat(self.one))

    async def push(self) -> None:
        self.acts.put_nowait(next(self._pieces))

    async def _ask(self, fields: list[tuple[str, str]]) -> int:
        stream = await super()._ask(fields)
        await self.client.upload(stream, MESSAGE)
        return stream


class Both(Framed):
    """Each message comes back that the client sent."""

    counts_messages = True

    async def push(self) -> None:
        await super().push()
        with contextlib.suppress(StreamClosedError):  # It was refused, and says so.
            self.client.h2.send_data(self.stream, self.one)
        await self.client.flush()


class Up(speaking_http2.Up):
    """What a client streams."""

    counts_messages = True
    upstream = staticmethod(frames)
    one = MESSAGE

    async def _ask(self, fields: list[tuple[str, str]]) -> int:
        return await super()._ask([*fields, ASKED])


SPEAKERS: dict[str, type[Speaker]] = {
    "grpc-unary": Unary,
    "grpc-down": Down,
    "grpc-up": Up,
    "grpc-both": Both,
}
